// A ledger in which every text of every record is an attack on the page that shows
// it: nothing runs, nothing is loaded, nothing breaks out of its place, and no
// text turns or hides another.

import { axe, base, check, crawl, each, finish, height, launch, open, overflow, visit } from "./lib.mjs";

const start = process.env.START;
// Addresses that a text may try to become.
const words = ["<script>window.hacked=1</script>", "\"><img src=x onerror=window.hacked=1>", "javascript:window.hacked=1", "\u202egnp.exe", "\u0000\u001b[31m", "W".repeat(3000)];
const tries = words.flatMap((w) => [`/search?q=${encodeURIComponent(w)}`, `/search?case=${encodeURIComponent(w)}`, `/records/${encodeURIComponent(w)}`, `/cases/${encodeURIComponent(w)}`,
  `/policies/${encodeURIComponent(w)}`, `/keys/${encodeURIComponent(w)}`]).concat("/search?q=zqstart", "/search?q=" + "W".repeat(45000 / 15));
const pages = await crawl(["/search?q=zqstart"]);
const browser = await launch();
const template = (path) => path.replace(/\?.*/, "?").replace(/^(\/\w+\/).+/, "$1"), judged = new Set();
let shown = 0;

await check("every link of the site leads to a page", () => pages.filter((p) => p.status !== 200).map((p) => `${p.path.slice(0, 90)}: status ${p.status}: ${p.text.match(/<main[^]*?<\/main>/)?.[0].replace(/<[^>]*>|\s+/g, " ").slice(0, 300)}`));
await each(pages.filter((p) => p.status === 200), 2, ({ path }) => check(path.slice(0, 80), () => inert(path)));
await check("texts were shown at all", () => shown > pages.length ? [] : [`only ${shown} on ${pages.length} pages`]);
await check("attacks in the address", attacks);
await check("the feed is well-formed, and its texts are text", feed);
await check("what the server sends as data is never shown as a page", data);
await finish(browser);

async function inert(path) {
  const page = await open(browser, { viewport: { width: 360, height } });
  try {
    await visit(page, path);
    const found = [...await overflow(page), ...await apart(page)];
    if (!judged.has(template(path))) found.push(...await axe(page));
    judged.add(template(path));
    await page.mouse.move(180, 450);
    for (let i = 0; i < 8; i++) await page.keyboard.press("Tab"); // what waits for the focus
    return [...found, ...await ran(page), ...page.troubles];
  } finally {
    await page.context().close();
  }
}

/** What an attack would leave behind. */
function ran(page) {
  return page.evaluate(() => [
    window.hacked !== undefined && "an attack ran",
    ...[...document.querySelectorAll("*")].filter((e) => e.getAttributeNames().some((a) => /^on|^srcdoc$|^style$/.test(a))).map((e) => `an attribute: ${e.outerHTML.slice(0, 80)}`),
    ...[...document.querySelectorAll("iframe, object, embed, base, meta[http-equiv], script:not([src]), x, b[id=main], svg svg")].map((e) => `an element: ${e.outerHTML.slice(0, 80)}`),
    ...[...document.querySelectorAll("[href], [src], [action]")].map((e) => e.getAttribute("href") ?? e.getAttribute("src") ?? e.getAttribute("action"))
      .filter((url) => /^\s*(javascript|data|vbscript|blob):/i.test(url) || /evil\.example/.test(new URL(url, location.href).host)).map((url) => `a link to ${url.slice(0, 80)}`),
    document.title.length > 300 && `a title of ${document.title.length} characters`,
  ].filter(Boolean));
}

/** Texts stand apart (bidirectional isolation), and nothing in them is invisible. */
async function apart(page) {
  const found = await page.evaluate((start) => {
    const bad = [], texts = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
    let shown = 0;
    // Line breaks, tabs and the joiners of emoji that stand alone are no danger; what turns or hides is.
    const hidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/u;
    for (let n = texts.nextNode(); n; n = texts.nextNode()) {
      const e = n.parentElement;
      if (["SCRIPT", "STYLE"].includes(e.tagName)) continue;
      const m = n.data.match(hidden);
      if (m) bad.push(`U+${m[0].codePointAt(0).toString(16).padStart(4, "0")} is not made visible in ${e.outerHTML.slice(0, 60)}`);
      if (!n.data.includes(start) || e.closest("title, pre")) continue; // a pre is a whole record
      shown++;
      let at = e;
      for (; at && at !== document.body; at = at.parentElement) {
        const isolated = /isolate|plaintext/.test(getComputedStyle(at).unicodeBidi);
        if (isolated && at.textContent.trim().replace(/^[“„"'«(]/, "").startsWith(start)) break;
      }
      if (!at || at === document.body) bad.push(`a text does not stand apart: ${e.parentElement.outerHTML.slice(0, 120)}`);
    }
    for (const e of document.querySelectorAll("[title], [aria-label], [alt], [placeholder], input[value]")) {
      for (const a of ["title", "aria-label", "alt", "placeholder"]) if (hidden.test(e.getAttribute(a) ?? "")) bad.push(`what is hidden stands in ${a} of ${e.tagName}`);
    }
    return { bad: [...new Set(bad)].slice(0, 6), shown };
  }, start);
  shown += found.shown;
  return found.bad;
}

async function attacks() {
  const page = await open(browser, { viewport: { width: 360, height } }), troubles = [];
  page.expects(/^status 4/, /^console error: Failed to load resource: the server responded with a status of 4/, /ERR_ABORTED$/);
  for (const path of tries) {
    const answer = await page.goto(base + path, { waitUntil: "load" });
    const found = [...await ran(page), ...await overflow(page)];
    if (answer.status() >= 500) found.push(`status ${answer.status()}`);
    if (await page.locator("main").count() !== 1) found.push("no page");
    troubles.push(...found.map((f) => `${path.slice(0, 60)}: ${f}`));
  }
  troubles.push(...page.troubles);
  await page.context().close();
  return troubles;
}

async function feed() {
  const answer = await fetch(`${base}/feed.atom`), text = await answer.text();
  const page = await open(browser);
  await visit(page, "/check");
  const has = await page.evaluate((text) => {
    const doc = new DOMParser().parseFromString(text, "application/xml");
    const strange = [...doc.querySelectorAll("*")].filter((e) => e.namespaceURI !== "http://www.w3.org/2005/Atom").map((e) => e.outerHTML.slice(0, 80));
    return { error: doc.querySelector("parsererror")?.textContent.slice(0, 200), entries: doc.querySelectorAll("entry").length, strange,
      links: [...doc.querySelectorAll("link")].map((l) => l.getAttribute("href")),
      html: [...doc.querySelectorAll("title, summary, content")].filter((e) => /html/.test(e.getAttribute("type") ?? "") && /<(script|img|svg|iframe|a\s)/i.test(e.textContent)).length };
  }, text);
  await page.context().close();
  return [
    answer.status !== 200 && `status ${answer.status}`, !/^application\/atom\+xml/.test(answer.headers.get("content-type") ?? "") && `it is ${answer.headers.get("content-type")}`,
    has.error, !has.entries && "no entries", ...has.strange.map((s) => `an element of somewhere else: ${s}`), has.html && `${has.html} entries hold markup`,
    ...has.links.filter((l) => !/^(https?:\/\/|\/)/.test(l) || /evil/.test(l)).map((l) => `a link to ${l}`),
  ].filter(Boolean);
}

/** Records, receipts and listings hold the attacks as they are: a browser must not take them for pages. */
async function data() {
  const id = pages.map((p) => p.path).find((p) => p.startsWith("/records/")).slice("/records/".length), troubles = [];
  for (const path of [`/v1/records/${id}`, `/v1/records/${id}/receipt`, "/v1/records", "/v1/policies", "/v1/keys", "/openapi.json", "/feed.atom", "/tile/entries/000.p/1", "/checkpoint"]) {
    const answer = await fetch(base + path, { headers: { Accept: "text/html,*/*" } }), type = answer.headers.get("content-type") ?? "";
    await answer.arrayBuffer();
    if (/html|svg/.test(type)) troubles.push(`${path} is ${type}`);
    if (answer.headers.get("x-content-type-options") !== "nosniff") troubles.push(`${path} may be sniffed (${answer.status})`);
  }
  return troubles;
}
