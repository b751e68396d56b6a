// Package-free, dependency-free check of a receipt of a Docket ledger in the
// browser or in Node: a second implementation beside the one in Go, written from
// docs/format.md and the specifications of c2sp.org.
//
// It needs WebCrypto with Ed25519, which browsers have in a secure context alone
// (https, or http on this very machine). WebCrypto has no ML-DSA: such cosignatures
// are reported as not checked and count for nothing.
//
// What it does not check, and says so in every result: the rules of periods, of the
// numbers of keys and of the order of a case (docket-verify applies them), and
// absence, which no receipt can show.

import { Fault, base64, canonical, equal, need, spell, text, unbase64, utf8, whole } from "./bytes.js";
import { extendsThroughTiles, hash, included, openAny, parseCheckpoint, parseNote, parsePolicy, times } from "./log.js";
import { broughtKeys, checkSignatures, members, parseRecord } from "./record.js";
import { Rules, charterPolicy } from "./rules.js";

/** What no receipt can show. */
export const absence = "No receipt shows what is not there: that no key was revoked and nothing reversed since, that the log shows everybody the same, or that an act was recorded at all. An audit of the whole log shows the first; witnesses vouch for the second.";

/** unable says why nothing can be checked here, or "" if it can. It names docket-verify. */
export async function unable() {
  const instead = "The program docket-verify checks the same receipt without a browser.";
  if (!globalThis.crypto?.subtle) {
    const insecure = globalThis.isSecureContext === false;
    return `${insecure ? "This page was not loaded over https, so the browser does not lend it its cryptography (WebCrypto needs a secure context)." : "This browser has no WebCrypto."} Nothing was checked. ${instead}`;
  }
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(9), { name: "Ed25519" }, false, ["verify"]);
  } catch (e) {
    if (e.name === "NotSupportedError") return `The WebCrypto of this browser has no Ed25519, with which the log and its staff sign. Nothing was checked. ${instead}`;
  }
  return "";
}

const header = "c2sp.org/tlog-proof@v1\n";

/** parseReceipt reads a c2sp.org/tlog-proof file in its one spelling; it checks no signature and no proof. */
export function parseReceipt(file) {
  need(utf8(file).length <= 1 << 20, "receipt: larger than 1 MiB");
  need(file.startsWith(header), "receipt: the first line is not c2sp.org/tlog-proof@v1");
  const at = file.indexOf("\n\n", header.length);
  need(at >= 0, "receipt: no blank line before the checkpoint");
  const lines = file.slice(header.length, at).split("\n");
  const r = { extra: null, index: 0, proof: [], signed: file.slice(at + 2) };
  if (lines[0].startsWith("extra ")) {
    r.extra = unbase64(lines.shift().slice(6), "receipt: extra");
    need(r.extra.length > 0, "receipt: extra is empty");
  }
  need(lines[0]?.startsWith("index "), "receipt: no index line");
  r.index = whole(lines.shift().slice(6), "receipt: index");
  need(lines.length <= 53, "receipt: a proof of more than 53 hashes");
  r.proof = lines.map((line, i) => hash(line, `receipt: hash ${i + 1} of the proof`));
  r.checkpoint = parseCheckpoint(parseNote(r.signed).text);
  need(r.index < r.checkpoint.size, "receipt: the index is not in the tree");
  return r;
}

/** parseExtra reads the JSON of the extra line of a full receipt. */
export function parseExtra(bytes) {
  const what = "extra of the receipt";
  const e = canonical(bytes, what);
  members(e, ["record", "seen", "support", "v"], what);
  need(e.v === 1, `${what}: a version that is not known here`);
  need(Array.isArray(e.seen) && Array.isArray(e.support), `${what}: seen and support are not arrays`);
  const isIndex = (n) => Number.isInteger(n) && n >= 0;
  const proof = (list, part) => {
    need(Array.isArray(list), `${part}: the proof is not an array`);
    return list.map((h) => {
      need(typeof h === "string", `${part}: a hash that is no string`);
      return hash(h, part);
    });
  };
  const support = e.support.map((s, i) => {
    const part = `${what}: support ${i + 1}`;
    members(s, ["index", "proof", "record"], part);
    need(isIndex(s.index) && (i === 0 || e.support[i - 1].index < s.index), `${part}: not sorted by index`);
    return { index: s.index, proof: proof(s.proof, part), bytes: utf8(spell(s.record)) };
  });
  const seen = e.seen.map((l, i) => {
    const part = `${what}: seen ${i + 1}`;
    members(l, ["index", "proof", "size"], part);
    const last = e.seen[i - 1];
    need(isIndex(l.index) && Number.isInteger(l.size), `${part}: no index and size`);
    need(!last || last.size < l.size || (last.size === l.size && last.index < l.index), `${part}: not sorted by size and index`);
    return { index: l.index, size: l.size, proof: proof(l.proof, part) };
  });
  need(e.record !== null && typeof e.record === "object" && !Array.isArray(e.record), `${what}: it holds no record`);
  return { record: utf8(spell(e.record)), support, seen };
}

// Bounds of time: {at, proven}, at 0 where it is not known. docs/format.md, 6.1.
const unknown = { at: 0, proven: false };
function better(a, b, isBetter) {
  if (a.at === 0) return b;
  if (b.at === 0) return a;
  if (a.proven !== b.proven) return a.proven ? a : b;
  return isBetter(b.at, a.at) ? b : a;
}
const later = (a, b) => better(a, b, (x, y) => x > y);
const earlier = (a, b) => better(a, b, (x, y) => x < y);
const both = (a, b) => (a.at === 0 || b.at === 0 ? unknown : { at: Math.min(a.at, b.at), proven: a.proven && b.proven });

/** dated returns what the cosignatures under a checkpoint of a log show of the time: proven under the reader's policies, else claimed under the charter's terms. */
async function dated(policies, origin, terms, signed) {
  const under = async (policy, proven) => {
    const o = await openAny([policy], signed).catch((e) => {
      if (e instanceof Fault) return null;
      throw e;
    });
    const t = o?.state === "holds" && o.checkpoint.origin === origin ? times(policy, o.cosignatures) : null;
    return t && [{ at: t[0], proven }, { at: t[1], proven }];
  };
  for (const p of policies.toReversed()) {
    const t = await under(p, true);
    if (t) return t;
  }
  const own = terms && (await charterPolicy(terms).catch(() => null));
  return (own && (await under(own, false))) ?? [unknown, unknown];
}

/** A Check is one run over one receipt. */
class Check {
  out = {
    ok: false, verdict: "fails", origin: "", index: -1, size: 0, root: "", id: "", checks: [], record: null, standing: "", codes: [],
    signers: [], clauses: [], times: { notBefore: unknown, logged: unknown, notAfter: unknown }, cosigned: [], unchecked: [], logKey: "",
  };
  rules = new Rules();
  records = []; // {index, record} that are proven and signed
  marks = []; // timemarks: {index, size, root, notBefore, notAfter}
  linked = new Set(); // "index size" of the proofs of seen that hold

  constructor(policies) {
    this.policies = policies;
  }

  say(what, result, detail) {
    this.out.checks.push({ what, result, detail });
  }

  /** step runs one part and says how it went; f returns the detail, or [result, detail]. It reports whether to go on. */
  async step(what, f) {
    try {
      const said = await f();
      if (Array.isArray(said)) this.say(what, ...said);
      else this.say(what, "holds", said);
      return true;
    } catch (e) {
      if (!(e instanceof Fault)) throw e;
      this.say(what, e.missing ? "not checked" : "fails", e.message);
      return false;
    }
  }

  async run(file, recordBytes) {
    const steps = [
      ["The file is spelled as a receipt", () => this.parse(file, recordBytes)],
      ["The log signed the checkpoint", () => this.open()],
      ["Witnesses cosigned the checkpoint", () => this.quorum()],
      ["The record is in the log", () => this.inclusion()],
      ["What supports it is in the same log", () => this.support(false)],
      ["Its signatures hold", () => this.judge()],
      ["Later amendments and timemarks hold", () => this.support(true)],
      ["The charter names the log's key", () => this.logKey()],
      ["It is in the earlier trees that are named", () => this.links()],
      ["When it was signed and logged", () => this.when()],
    ];
    let stopped = "";
    for (const [what, f] of steps) {
      if (stopped) this.say(what, "not checked", stopped);
      else if (!(await this.step(what, () => f()))) stopped = "Not looked at, since what comes before does not hold.";
    }
    this.say("Periods, numbers of keys, and the order of the case", "not checked", "These rules need the whole log, or a clock. docket-verify applies them.");
    this.say("What is not there", "not checked", absence);
    const results = this.out.checks.slice(0, steps.length).map((c) => c.result);
    this.out.verdict = results.includes("fails") ? "fails" : stopped || this.open_ ? "not checked" : "holds";
    this.out.ok = this.out.verdict === "holds";
    return this.out;
  }

  async parse(file, recordBytes) {
    const r = parseReceipt(file);
    this.receipt = r;
    const { origin, size } = r.checkpoint;
    Object.assign(this.out, { origin, size, root: base64(r.checkpoint.root), index: r.index });
    this.full = r.extra !== null;
    this.extra = this.full ? parseExtra(r.extra) : { record: recordBytes, support: [], seen: [] };
    need(this.extra.record, "It is a bare receipt: the record it is for has to be given with it.", { missing: true });
    need(!recordBytes || equal(recordBytes, this.extra.record), "the receipt is for another record than the one beside it");
    this.record = await parseRecord(this.extra.record);
    Object.assign(this.out, { id: this.record.id, record: this.record.payload });
    need(!this.extra.support.some((s) => s.index === r.index), "support: one is the record itself");
    return `A ${this.record.payload.type} for the ledger ${origin}.`;
  }

  async open() {
    const o = await openAny(this.policies, this.receipt.signed);
    this.opened = o;
    this.out.cosigned = o.cosignatures;
    this.out.unchecked = o.unchecked;
    need(o.state !== "unknown", `No log key of the policy signed the checkpoint of ${o.checkpoint.origin}.`);
    need(o.logKey, "The policy's only key of this log is of ML-DSA-44, which browsers can't check. docket-verify can.", { missing: true });
    need(o.state !== "retired", "It is signed with a key of an earlier epoch, and no witnesses vouch for it.");
    this.out.logKey = o.logKey.vkey;
    return `Its key ${o.logKey.name}+${o.logKey.id} signed the tree of ${o.checkpoint.size} records.`;
  }

  async quorum() {
    const { state, cosignatures, unchecked, policy } = this.opened;
    const names = cosignatures.map((c) => c.name).join(", ") || "none of those named";
    const also = unchecked.length > 0 ? ` Not checked: ML-DSA-44 cosignatures of ${unchecked.join(", ")}, which browsers can't check.` : "";
    need(state !== "short", `Too few witnesses of the policy cosigned it: ${names}.${also}`);
    if (state === "unchecked") {
      this.open_ = true;
      return ["not checked", `The quorum "${policy.quorum}" is reached only with ML-DSA-44 cosignatures, which browsers can't check; docket-verify can. Checked: ${names}.${also}`];
    }
    if (policy.quorum === "none") return ["not checked", `The policy demands no witness: nobody but the log vouches that everyone is shown the same.${also}`];
    return `The quorum "${policy.quorum}" is reached: ${names}.${also}`;
  }

  async inclusion() {
    const { index, checkpoint, proof } = this.receipt;
    need(await included(this.record.leaf, index, checkpoint.size, checkpoint.root, proof), `entry ${index} is not proven in the tree of ${checkpoint.size} records`);
    return `Entry ${index} of ${checkpoint.size}, with the id ${this.record.id}, which is made from its exact bytes.`;
  }

  /** support proves and judges what stands before the record, or after it. */
  async support(after) {
    const { index, checkpoint } = this.receipt;
    const list = this.extra.support.filter((s) => s.index > index === after);
    for (const s of list) {
      const what = `support, record ${s.index}`;
      const record = await parseRecord(s.bytes, what);
      const type = record.payload.type;
      need(!after || ["charter.amend", "key.enrol", "timemark"].includes(type), `${what}: a ${type} that stands after the record`);
      need(await included(record.leaf, s.index, checkpoint.size, checkpoint.root, s.proof), `${what}: not proven in the tree`);
      await checkSignatures(record, checkpoint.origin, this.jwks(), what);
      const codes = await this.rules.apply(s.index, record);
      need(codes.length === 0, `${what}: it is void (${codes.join(", ")})`, { missing: this.rules.uncertain });
      await this.add(s.index, record, true);
    }
    if (list.length === 0) return ["not checked", after ? "There are none." : "There is no support in the file."];
    return `${list.length} ${list.length === 1 ? "record" : "records"}, each proven in the same checkpoint, signed by those who may.`;
  }

  jwks() {
    const all = this.rules.jwks;
    for (const [kid, jwk] of this.filers ?? []) if (!all.has(kid)) all.set(kid, jwk);
    return all;
  }

  async add(index, record, effective) {
    this.records.push({ index, record });
    if (record.payload.type === "appeal") this.filers = new Map([...(this.filers ?? []), ...(await broughtKeys(record.payload))]);
    if (!effective || record.payload.type !== "timemark") return;
    const { size, root } = parseCheckpoint(parseNote(record.payload.checkpoint).text);
    const [notBefore, notAfter] = await dated(this.policies, record.payload.ledger, this.rules.terms, record.payload.checkpoint);
    this.marks.push({ index, size, root, notBefore, notAfter });
  }

  async judge() {
    if (!this.full) return ["not checked", "A bare receipt holds no keys: the full receipt shows who signed."];
    const { record } = this;
    const index = this.receipt.index;
    await checkSignatures(record, this.receipt.checkpoint.origin, this.jwks());
    const codes = await this.rules.apply(index, record);
    this.out.standing = codes.length === 0 ? "effective" : "void";
    this.out.codes = codes;
    await this.add(index, record, codes.length === 0);
    need(this.records[0].index === 0 && this.records[0].record.payload.type === "charter", "The charter is not in this file.", { missing: true });
    for (const { header } of record.signatures) this.out.signers.push(await this.signer(header));
    for (const g of record.payload.type === "decision" ? (record.payload.grounds ?? []) : []) {
      const found = this.rules.policies.get(g.record);
      const clause = found?.payload.clauses.find((c) => c.clause === g.clause);
      if (clause) this.out.clauses.push({ ground: g, title: found.payload.title, clause, published: found.index, publishedAt: found.iat });
    }
    const who = this.out.signers.map((s) => `${s.holder} (${s.recovery ? "recovery" : s.filer ? "not counted" : s.roles.join(", ")})`).join("; ");
    let standing = codes.length === 0 ? "Those who signed may sign this, together." : `By the rules it is VOID: ${codes.join(", ")}.`;
    if (codes.length === 0 && this.rules.unshown) standing = "What it speaks about is not in this file, so it was not checked whether these may sign it.";
    return `Signed by ${who}. ${standing}`;
  }

  async signer(header) {
    const key = this.rules.keys.get(header.kid);
    const base = { kid: header.kid, iat: header.iat, seq: header.seq, seen: header.seen };
    if (key) return { ...base, holder: key.holder, roles: key.roles, recovery: key.recovery, filer: false, enrolled: key.enrolled };
    return { ...base, holder: "the filer", roles: [], recovery: false, filer: true, enrolled: this.receipt.index };
  }

  async logKey() {
    if (!this.full) return ["not checked", "A bare receipt holds no charter."];
    const key = this.out.logKey;
    const names = this.records.some(({ index, record: { payload: p } }) =>
      (index !== this.receipt.index || this.out.standing === "effective") && ["charter", "charter.amend"].includes(p.type) && p.log_keys.includes(key));
    const { rules } = this.records[0].record.payload;
    need(names, `Nothing in the file names the key that signed the checkpoint, ${key}.`, { missing: (rules ?? 0) !== 0 });
    return "The ledger itself names the key that signed the checkpoint.";
  }

  async links() {
    const named = new Map(); // size -> roots
    const name = (size, root) => named.set(size, [...(named.get(size) ?? []), root]);
    for (const { header } of this.full ? this.record.signatures : []) name(header.seen.size, header.seenRoot);
    for (const m of this.marks) name(m.size, m.root);
    for (const l of this.extra.seen) {
      const leaf = this.records.find((r) => r.index === l.index)?.record.leaf;
      const what = `record ${l.index} in the tree of ${l.size} records`;
      need(leaf && named.has(l.size), `${what}: the file does not hold that record, or nothing in it names that tree`);
      for (const root of named.get(l.size)) need(await included(leaf, l.index, l.size, root, l.proof), `${what}: not proven`);
      this.linked.add(`${l.index} ${l.size}`);
    }
    const n = this.extra.seen.length;
    return n === 0 ? ["not checked", "The file shows nothing of earlier trees."] : `${n} ${n === 1 ? "proof" : "proofs"} in trees that signers or timemarks name.`;
  }

  publicBy(index) {
    return this.marks.filter((m) => this.linked.has(`${index} ${m.size}`)).reduce((b, m) => earlier(b, m.notAfter), unknown);
  }

  async when() {
    const { index, signed, checkpoint } = this.receipt;
    const t = this.out.times;
    for (const m of this.marks) if (m.index < index) t.logged = later(t.logged, m.notBefore);
    t.notAfter = this.publicBy(index);
    const [, by] = await dated(this.policies, checkpoint.origin, this.full ? this.lastTerms() : null, signed);
    t.notAfter = earlier(t.notAfter, by);
    for (const c of this.out.clauses) c.publicBy = this.publicBy(c.published);
    const lower = this.out.signers.filter((s) => !s.filer).map((s) =>
      this.marks.filter((m) => this.linked.has(`${m.index} ${s.seen.size}`)).reduce((b, m) => later(b, m.notBefore), unknown));
    if (lower.length > 0) t.notBefore = lower.reduce(both);
    const say = (b) => `${new Date(b.at * 1000).toISOString().replace(".000", "")} (${b.proven ? "proven by witnesses of the policy" : "claimed: only by witnesses that the operator chose"})`;
    const parts = [];
    if (t.notBefore.at) parts.push(`Signed after ${say(t.notBefore)}.`);
    if (t.logged.at) parts.push(`Logged after ${say(t.logged)}.`);
    if (t.notAfter.at) parts.push(`In the log by ${say(t.notAfter)}.`);
    return parts.length > 0 ? parts.join(" ") : ["not checked", "No witness dates anything in this file: its times are what the signers say."];
  }

  /** lastTerms are those of the newest charter or amendment in the file. */
  lastTerms() {
    return this.records.filter((r) => ["charter", "charter.amend"].includes(r.record.payload.type)).at(-1)?.record.payload ?? null;
  }
}

/**
 * verifyReceipt checks a receipt (a string, or bytes) under trust policies (texts
 * of c2sp.org/tlog-policy, the oldest first). recordBytes are those of the record
 * beside a bare receipt. The promise resolves to what was found, also if it does
 * not hold: verdict is "holds", "fails" or "not checked", ok says that it is the
 * first; checks lists each part with "holds", "fails" or "not checked" and why.
 */
export async function verifyReceipt(file, { policies, recordBytes = null }) {
  const why = await unable();
  const c = new Check([]);
  if (why) {
    c.say("Checked in this browser", "not checked", why);
    return { ...c.out, verdict: "not checked" };
  }
  const ready = await c.step("The trust policy can be read", async () => {
    for (const p of policies) c.policies.push(await parsePolicy(p));
    need(c.policies.length > 0, "there is no trust policy");
    return c.policies.map((p) => `Log ${p.logs.map((l) => l.name).join(", ") || "none"}, ${p.witnesses.size} witnesses, quorum ${p.quorum}.`).join(" ");
  });
  if (!ready) return c.out;
  c.out.checks = [];
  let s = file;
  if (typeof file !== "string") {
    if (!(await c.step("The file is text", async () => void (s = text(file, "receipt"))))) return c.out;
    c.out.checks = [];
  }
  return c.run(s, recordBytes);
}

/**
 * verifyHead checks that the log as it is served now and the checkpoint of a
 * receipt are one log. found is what verifyReceipt has returned; get fetches a path
 * of the log, like "checkpoint" or "tile/0/000", and resolves to bytes, or to null
 * for what is not there. It resolves to a line of checks.
 */
export async function verifyHead(found, { policies, get }) {
  const c = new Check([]);
  await c.step("The log as it is now extends the tree of this receipt", async () => {
    const bytes = await get("checkpoint");
    need(bytes, "The log serves no checkpoint.", { missing: true });
    const head = await openAny(await Promise.all(policies.map(parsePolicy)), text(bytes, "the log's checkpoint"));
    const { origin, size, root } = head.checkpoint;
    need(origin === found.origin, `This receipt is of another log, ${found.origin}, than this server's, ${origin}.`, { missing: true });
    need(head.logKey && head.state !== "unknown", "No log key of the policy signed the log's checkpoint.");
    need(head.state !== "short", "Too few witnesses of the policy cosigned the log's checkpoint.", { missing: true });
    const own = hash(found.root, "the receipt's root");
    const grown = size >= found.size;
    const [m, rootM, n, rootN] = grown ? [found.size, own, size, root] : [size, root, found.size, own];
    need(await extendsThroughTiles(m, rootM, n, rootN, get), `The log's checkpoint of ${size} records and the receipt's of ${found.size} are not of one log. Keep both: they are evidence of a fork.`);
    if (m === n) return `It is the very tree that the log serves now, of ${n} records.`;
    if (grown) return `The ${size} records of today begin with the ${found.size} of this receipt.`;
    return `The receipt is newer: its ${found.size} records begin with the ${size} that the log serves now.`;
  });
  return c.out.checks[0];
}
