// The second implementation against the verdicts of the first: see
// verify_browser_test.go, which makes given.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { extendsThroughTiles, hash, parsePolicy } from "./log.js";
import { checkSignatures, parseRecord } from "./record.js";
import { Fault } from "./bytes.js";
import { verifyReceipt } from "./verify.js";

const given = JSON.parse(readFileSync(new URL("given.json", import.meta.url)));
const bytes = (b64) => new Uint8Array(Buffer.from(b64 ?? "", "base64"));

// The codes of the rules that are applied here.
const known = new Set(["role.missing", "quorum.short", "quorum.unreachable", "charter.missing", "charter.not_first", "enrol.possession", "enrol.other_holder",
  "ground.none", "ground.unpublished", "ground.wrong_layer", "action.not_permitted", "signers.conflict", "severity.missing", "emergency.not_permitted",
  "order.incomplete", "duration.exceeded", "review.missing", "ratification.not_independent", "ruling.not_independent", "timemark.invalid"]);

function tell(r) {
  return {
    id: r.id, origin: r.origin, index: r.index, size: r.size, full: r.standing !== "", codes: r.codes,
    signers: r.signers.map(({ kid, holder, roles, enrolled, recovery, filer }) => ({ kid, holder, roles, enrolled, recovery, filer })),
    clauses: r.clauses.map((c) => ({ record: c.ground.record, clause: c.clause.clause, title: c.title, published: c.published, publicBy: c.publicBy })),
    notBefore: r.times.notBefore, logged: r.times.logged, notAfter: r.times.notAfter, cosigned: r.cosigned.map((c) => c.name),
  };
}

test("receipts", async () => {
  assert.ok(given.receipts.length > 100);
  const wrong = [];
  for (let i = 0; i < given.receipts.length; i += 16) await Promise.all(given.receipts.slice(i, i + 16).map(one));
  async function one(c) {
    const r = await verifyReceipt(bytes(c.file), { policies: c.policies, recordBytes: c.record ? bytes(c.record) : null });
    const failed = r.checks.filter((x) => x.result !== "holds").map((x) => `${x.what}: ${x.detail}`).join(" | ").slice(0, 300);
    if (r.verdict !== c.want || r.ok !== (c.want === "holds")) {
      wrong.push(`${c.name}: ${r.verdict}, Go: ${c.want} (${c.why ?? ""}); ${failed}`);
      return;
    }
    if (!c.told) return;
    c.told.codes = c.told.codes.filter((code) => known.has(code));
    if (r.unchecked.length > 0) c.told.cosigned = c.told.cosigned.filter((n) => !r.unchecked.includes(n));
    try {
      assert.deepEqual(tell(r), c.told);
    } catch (e) {
      wrong.push(`${c.name}: ${e.message.slice(0, 800)}`);
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} of ${given.receipts.length}:\n${wrong.slice(0, 12).join("\n")}`);
});

async function stillHolds(s, i) {
  const b = bytes(s.file);
  b[i] ^= 1 << (i % 7);
  if (s.kind === "policy") return parsePolicy(Buffer.from(b).toString("latin1")).then(() => true, (e) => assert.ok(e instanceof Fault, e.stack));
  const r = await verifyReceipt(b, { policies: s.policies });
  return r.ok || (r.verdict === "not checked" && r.unchecked.length > 0); // it rests on ML-DSA-44
}

test("every byte", async () => {
  for (const s of given.sweeps) {
    const places = Array.from({ length: Math.ceil(s.end / s.step) }, (_, i) => i * s.step);
    const holds = [];
    for (let i = 0; i < places.length; i += 32) {
      const some = places.slice(i, i + 32);
      const said = await Promise.all(some.map((at) => stillHolds(s, at)));
      holds.push(...some.filter((_, n) => said[n]));
    }
    assert.equal(holds.join(" "), s.holds.join(" "), `${s.name}: the places where it holds with a byte changed, and those of Go`);
    console.log(`swept ${places.length} bytes of ${s.name}, ${holds.length} of which don't matter`);
  }
});

test("records", async () => {
  for (const c of given.records) {
    const keys = new Map(Object.entries(c.keys));
    let code = "";
    try {
      await checkSignatures(await parseRecord(bytes(c.file)), "ledger.example.com/2026", keys);
    } catch (e) {
      assert.ok(e instanceof Fault, e.stack);
      code = e.code;
    }
    assert.equal(code, c.want, c.name);
  }
});

test("tiles", async () => {
  const { roots, files, size } = given.tree;
  const get = async (path) => (path in files ? bytes(files[path]) : null);
  const root = (n) => hash(roots[n], "root");
  for (const m of Object.keys(roots).map(Number)) {
    assert.ok(await extendsThroughTiles(m, root(m), size, root(size), get), `${m} to ${size}`);
    if (m === size) continue;
    const other = root(m);
    other[5] ^= 1;
    assert.equal(await extendsThroughTiles(m, other, size, root(size), get), false, `another root at ${m}`);
    let read = 0;
    const altered = async (path) => {
      const b = await get(path);
      if (b) read++;
      if (b) for (let i = 0; i < b.length; i += 32) b[i] ^= 1;
      return b;
    };
    assert.equal(await extendsThroughTiles(m, root(m), size, root(size), altered), false, `altered tiles at ${m}`);
    assert.ok(read > 0);
  }
});
