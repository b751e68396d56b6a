// Checks receipts in the page: on the page of a record, and of files on /check.
// What it shows is built from text alone, never from HTML.

import { unable, verifyHead, verifyReceipt } from "./verify.js";
import { parsePolicy } from "./log.js";
import { isZip, unzip } from "./zip.js";

const pinned = "docket.policy"; // in localStorage, which each origin has for itself

/** el makes an element with attributes and children, which are elements or texts. */
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes ?? {})) if (v !== undefined) e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== null));
  return e;
}

/** plain makes visible what browsers hide or obey. */
const plain = (s) => s.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (c) => `<U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`);

const button = (label, onclick, quiet) => {
  const b = el("button", { type: "button", class: quiet ? "button quiet" : "button" }, label);
  b.addEventListener("click", onclick);
  return b;
};

/** get fetches a path of this server: bytes, null if it is not there (404). */
async function get(path) {
  const r = await fetch(path.startsWith("/") ? path : `/${path}`, { credentials: "omit", redirect: "error" });
  if (r.status === 404) return null;
  if (!r.ok) throw new Error(`${path}: the server answers ${r.status}`);
  return new Uint8Array(await r.arrayBuffer());
}

const decode = (bytes) => new TextDecoder().decode(bytes);

const store = {
  read() {
    try {
      return localStorage.getItem(pinned);
    } catch {
      return null; // storage is off
    }
  },
  write(text) {
    try {
      if (text === null) localStorage.removeItem(pinned);
      else localStorage.setItem(pinned, text);
      return "";
    } catch {
      return "This browser keeps nothing for this site, so the keys can't be pinned.";
    }
  },
};

/** trust finds the policy to check against, and compares the pinned one with what the server says. */
async function trust() {
  const served = await get("v1/trust.policy").then((b) => b && decode(b), () => null);
  const pin = store.read();
  const t = { served, pin, policy: pin ?? served, changed: "" };
  if (!pin || !served) return t;
  try {
    const [mine, theirs] = await Promise.all([parsePolicy(pin), parsePolicy(served)]);
    const strange = theirs.logs.filter((l) => !mine.logs.some((m) => m.vkey === l.vkey));
    if (strange.length > 0) t.changed = `This server now names the log key ${strange[0].vkey}, which is not the one that you pinned. A log changes its key in public, by an amendment of its charter; find out from somebody else than this server whether it did, before you trust the new one.`;
  } catch (e) {
    t.changed = `The keys can't be compared: ${e.message}`;
  }
  return t;
}

const words = { holds: ["✓", "Holds", "tag tag-ok"], fails: ["✕", "Fails", "tag tag-void"], "not checked": ["–", "Not checked", "tag"] };

function line({ what, result, detail }) {
  const [mark, word, tag] = words[result];
  return el("div", {}, el("dt", {}, el("span", { class: tag }, el("span", { "aria-hidden": "true" }, `${mark} `), word)),
    el("dd", {}, el("strong", {}, what), detail ? el("p", { class: "note" }, el("bdi", {}, plain(detail))) : null));
}

/** outcome of a result in a word. */
const outcome = (r) => (r.checks.some((c) => c.result === "fails") ? "fails" : r.ok ? "holds" : "not checked");

/** verdict is the box that says what came of it. */
function verdict(r) {
  const fails = r.checks.filter((c) => c.result === "fails");
  let box = ["notice-warn", "–", "Not verified", "Something could not be checked here; see below."];
  if (fails.length > 0) box = ["notice-void", "✕", "This does not hold", `${fails[0].what}: ${fails[0].detail}`];
  else if (r.ok && r.standing === "void") box = ["notice-warn", "!", "Proven to be in the log, and void", `By the rules it changes nothing: ${r.codes.join(", ")}.`];
  else if (r.ok && r.standing === "effective") box = ["notice-ok", "✓", "Checked in this browser: it holds", "The log holds this very record at this place, and those named below signed it. What was not checked is said, too."];
  else if (r.ok) box = ["notice-ok", "✓", "Checked in this browser: it is in the log", "This bare receipt does not show who signed; the full one does."];
  const [kind, mark, word, why] = box;
  return el("div", { class: `notice ${kind}`, "data-result": outcome(r) },
    el("p", { class: "state" }, el("span", { "aria-hidden": "true" }, `${mark} `), word), el("p", {}, el("bdi", {}, plain(why))));
}

/** signed shows what the record itself says, from the bytes that were checked. */
function signed(r) {
  if (!r.record) return null;
  return el("details", {}, el("summary", {}, "What was signed, from the receipt itself"),
    el("pre", { tabindex: "0" }, el("code", {}, JSON.stringify(r.record, null, 2).split("\n").map(plain).join("\n"))));
}

/** Keys is the part that says against which keys was checked, and lets the reader pin them. */
function keys(t, again) {
  const said = el("p", { class: "note", role: "status" });
  const pin = async (text) => {
    try {
      await parsePolicy(text);
    } catch (e) {
      said.textContent = `Not pinned: ${plain(e.message)}`;
      return;
    }
    said.textContent = store.write(text);
    if (!said.textContent) again();
  };
  const unpin = () => {
    said.textContent = store.write(null);
    if (!said.textContent) again();
  };
  const field = el("textarea", { id: "pin-policy", rows: "5", spellcheck: "false", autocomplete: "off", class: "wide" });
  field.value = t.pin ?? "";
  return el("details", t.changed ? { open: "" } : {}, el("summary", {}, "Against which keys"),
    el("p", {}, t.pin ? "Against the trust policy that you pinned in this browser:" : "Against the keys that this server itself names. That is the server's own word: a server that lies names keys of its own. Pin them once you have compared them with another source; then a change is noticed."),
    t.policy ? el("pre", { tabindex: "0" }, el("code", {}, t.policy.split("\n").map(plain).join("\n"))) : el("p", {}, "There are none: the server names no keys, and you have pinned none."),
    el("p", { class: "row" }, t.pin ? button("Forget the pinned keys", unpin, true) : t.served ? button("Pin these keys", () => pin(t.served), true) : ""),
    el("div", { class: "field" }, el("label", { for: "pin-policy" }, "Or a trust policy of your own, as docket-verify takes it"), field),
    el("p", {}, button("Pin this policy", () => pin(field.value), true)), said);
}

/** report shows a result in a place. */
function report(place, title, r, t, again) {
  place.replaceChildren(...(title ? [title] : []), verdict(r), el("dl", { class: "facts checks" }, ...r.checks.map(line)),
    ...[signed(r)].filter(Boolean), ...(again ? [keys(t, again)] : []));
}

/** check verifies one receipt, and adds what only this page can know. */
async function check(bytes, t, recordBytes) {
  const why = await unable();
  if (why) return { ok: false, checks: [{ what: "Checked in this browser", result: "not checked", detail: why }] };
  if (!t.policy) return { ok: false, checks: [{ what: "The trust policy", result: "not checked", detail: "There are no keys to check against: the server names none. Pin a policy below." }] };
  const r = await verifyReceipt(bytes, { policies: [t.policy], recordBytes });
  if (r.ok) {
    const policies = [t.policy];
    const head = await verifyHead(r, { policies, get }).catch((e) => ({ what: "The log as it is now extends the tree of this receipt", result: "not checked", detail: e.message }));
    r.checks.splice(-2, 0, head);
  }
  if (t.changed) r.checks.unshift({ what: "The log's key is the one that you pinned", result: "fails", detail: t.changed });
  return settle(r);
}

/** settle says again whether all holds, after lines were added. */
function settle(r) {
  if (r.checks.some((c) => c.result === "fails")) r.ok = false;
  return r;
}

/** shown compares the texts of this page with those that were signed. */
function shown(r) {
  const what = "This page shows the texts that were signed";
  const line = (s) => s.replace(/\s+/g, " ").trim();
  const page = [...document.querySelectorAll("main .text")].map((e) => line([...e.querySelectorAll("p")].map((p) => p.textContent).join(" ")));
  const texts = [["facts", r.record.facts], ["reasons", r.record.reasons], ...r.clauses.map((c) => [`clause ${c.clause.clause}`, c.clause.text])].filter(([, s]) => s !== undefined);
  if (texts.length === 0) return { what, result: "not checked", detail: "Compare them with what was signed, below." };
  for (const [name, s] of texts) {
    const paragraphs = s.replaceAll("\r\n", "\n").split("\n").map((p) => plain(p.trim())).filter((p) => p !== "");
    if (!page.includes(line(paragraphs.join(" ")))) return { what, result: "fails", detail: `The ${name} on this page are not those that were signed.` };
  }
  return { what, result: "holds", detail: `Letter by letter: ${texts.map(([name]) => name).join(", ")}.` };
}

/** alarm puts a failure at the top of the page, where nobody misses it. */
function alarm(r) {
  document.getElementById("verify-alarm")?.remove();
  if (!r.checks.some((c) => c.result === "fails")) return;
  const top = verdict(r);
  top.id = "verify-alarm";
  top.setAttribute("role", "alert");
  top.append(el("p", {}, "Don't rely on this page. ", el("a", { href: "#verify" }, "What was checked")));
  document.getElementById("main")?.prepend(top);
}

/** recordPage checks the receipt of the record that the page shows. */
async function recordPage(section) {
  const id = section.dataset.recordId;
  const place = el("div", { "aria-live": "polite" });
  const title = el("h3", {}, "In this browser");
  section.replaceChildren(title, place);
  section.hidden = false;
  const run = async () => {
    delete section.dataset.result;
    place.replaceChildren(el("p", { class: "note" }, "Checking the receipt …"));
    let r;
    let t = { policy: null, served: null, pin: null, changed: "" };
    try {
      t = await trust();
      const bytes = await get(section.dataset.receipt);
      if (!bytes) throw new Error("the server has no receipt of this record");
      r = await check(bytes, t);
      if (r.id && r.id !== id) r.checks.unshift({ what: "It is the receipt of this record", result: "fails", detail: `This page is about ${id}, the receipt about ${r.id}.` });
      if (r.ok && r.record) r.checks.unshift(shown(r));
      settle(r);
    } catch (e) {
      r = { ok: false, checks: [{ what: "The receipt", result: "not checked", detail: e.message }] };
    }
    report(place, null, r, t, run);
    alarm(r);
    section.dataset.result = outcome(r);
  };
  await run();
}

/** opened takes the files that a reader gave apart: receipts, alone or in case files, and a record beside a bare receipt. */
async function opened(files) {
  const receipts = [];
  let recordBytes = null;
  for (const f of files) {
    if (f.size > 256 << 20) throw new Error(`${f.name} is larger than 256 MiB`);
    const bytes = new Uint8Array(await f.arrayBuffer());
    if (isZip(bytes)) {
      const inside = await unzip(bytes, ".tlog-proof");
      if (inside.length === 0) throw new Error(`${f.name} holds no receipt (.tlog-proof)`);
      receipts.push(...inside.map((i) => ({ name: `${f.name}: ${i.name}`, bytes: i.bytes })));
    } else if (bytes[0] === 0x7b) {
      recordBytes = bytes; // a record is a JSON object
    } else {
      receipts.push({ name: f.name, bytes });
    }
  }
  if (receipts.length === 0) throw new Error("There is no receipt among these files: choose a .tlog-proof, or a case file (.zip).");
  return receipts.map((r) => ({ ...r, recordBytes: receipts.length === 1 ? recordBytes : null }));
}

/** checkPage checks the files that a reader chooses or drops; nothing leaves the browser. */
function checkPage(form) {
  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector(".drop") ?? form;
  const status = el("p", { role: "status", class: "note" });
  const results = el("div", { id: "check-results" });
  (document.getElementById("check-result") ?? form.parentNode).append(status, results);
  let last = [];
  const run = async (files) => {
    last = files;
    status.textContent = "Checking …";
    results.replaceChildren();
    delete form.dataset.result;
    try {
      const t = await trust();
      const count = { holds: 0, fails: 0, "not checked": 0 };
      for (const { name, bytes, recordBytes } of await opened(files)) {
        const r = await check(bytes, t, recordBytes);
        const place = el("section", {});
        report(place, el("h2", {}, el("bdi", {}, plain(name))), r, t, null);
        if (r.record) place.append(el("p", { class: "more" }, el("a", { href: `/records/${encodeURIComponent(r.id)}` }, "This record on this site")));
        results.append(place);
        count[outcome(r)]++;
      }
      results.append(keys(t, () => run(last)));
      status.textContent = `${count.holds} held, ${count.fails} failed, ${count["not checked"]} not verified.`;
      form.dataset.result = count.fails ? "fails" : count["not checked"] ? "not checked" : "holds";
    } catch (e) {
      status.textContent = "";
      results.replaceChildren(el("div", { class: "notice notice-void", role: "alert" }, el("p", { class: "state" }, "✕ Not read"), el("p", {}, el("bdi", {}, plain(e.message)))));
      form.dataset.result = "fails";
    }
  };
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (input.files.length > 0) run([...input.files]);
    else status.textContent = "Choose a file first.";
  });
  input.addEventListener("change", () => input.files.length > 0 && run([...input.files]));
  for (const type of ["dragenter", "dragover"]) {
    zone.addEventListener(type, (e) => {
      e.preventDefault();
      zone.classList.add("is-over");
    });
  }
  for (const type of ["dragleave", "drop"]) zone.addEventListener(type, () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (e) => {
    e.preventDefault();
    if (e.dataTransfer.files.length > 0) run([...e.dataTransfer.files]);
  });
  form.hidden = false;
}

const section = document.querySelector("section#verify");
if (section) recordPage(section);
const form = document.querySelector("form#check");
if (form) checkPage(form);

