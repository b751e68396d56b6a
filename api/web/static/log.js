// The log: RFC 6962 proofs, checkpoints (c2sp.org/signed-note, tlog-checkpoint,
// tlog-cosignature), trust policies (tlog-policy) and tiles (tlog-tiles).

import { Fault, concat, equal, need, sha256, unbase64, utf8, whole } from "./bytes.js";

/** leafHash is that of an entry, RFC 6962, Section 2.1. */
export const leafHash = (entry) => sha256(concat([0], entry));

const nodeHash = (left, right) => sha256(concat([1], left, right));

/** The root of the empty tree. */
export const emptyRoot = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/** hash reads the base64 of 32 bytes. */
export function hash(s, what) {
  const h = unbase64(s, what);
  need(h.length === 32, `${what}: not the base64 of 32 bytes`);
  return h;
}

/** included reports whether a leaf hash is at index in the tree {size, root}: RFC 9162, Section 2.1.3.2. */
export async function included(leaf, index, size, root, proof) {
  if (index >= size) return false;
  let fn = BigInt(index);
  let sn = BigInt(size - 1);
  let r = leaf;
  for (const p of proof) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      r = await nodeHash(p, r);
      while (!(fn & 1n) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      r = await nodeHash(r, p);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && equal(r, root);
}

/** consistent reports whether the tree of size n extends that of size m: RFC 9162, Section 2.1.4.2. */
export async function consistent(m, rootM, n, rootN, proof) {
  if (m > n) return false;
  if (m === n) return proof.length === 0 && equal(rootM, rootN);
  if (m === 0) return proof.length === 0;
  let path = proof;
  let fn = BigInt(m - 1);
  let sn = BigInt(n - 1);
  if ((BigInt(m) & BigInt(m - 1)) === 0n) path = [rootM, ...proof];
  if (path.length === 0) return false;
  while (fn & 1n) {
    fn >>= 1n;
    sn >>= 1n;
  }
  let fr = path[0];
  let sr = path[0];
  for (const c of path.slice(1)) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      fr = await nodeHash(c, fr);
      sr = await nodeHash(c, sr);
      while (!(fn & 1n) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      sr = await nodeHash(sr, c);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && equal(fr, rootM) && equal(sr, rootN);
}

/** largest power of two below n. */
function split(n) {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/**
 * extendsThroughTiles reports whether the tree of size n extends that of size m,
 * with the hashes that fetchTile(path) brings: a Uint8Array, or null for what is
 * not there. Tiles need not be believed: a wrong hash proves nothing.
 */
export async function extendsThroughTiles(m, rootM, n, rootN, fetchTile) {
  const tiles = new Map();
  async function tile(level, number) {
    const there = Math.floor(n / 256 ** level) - number * 256; // hashes of this tile in the tree of size n
    need(there > 0, "a tile outside the tree");
    let name = String(number % 1000).padStart(3, "0");
    for (let rest = Math.floor(number / 1000); rest > 0; rest = Math.floor(rest / 1000)) name = `x${String(rest % 1000).padStart(3, "0")}/${name}`;
    const path = `tile/${level}/${name}`;
    if (!tiles.has(path)) {
      let b = there < 256 ? await fetchTile(`${path}.p/${there}`) : null;
      b ??= await fetchTile(path);
      need(b, `the log does not serve ${path}`, { missing: true });
      need(b.length >= Math.min(there, 256) * 32, `${path} is too short`);
      tiles.set(path, b);
    }
    return tiles.get(path);
  }
  // full is the hash of the complete subtree of 2^height leaves from start on.
  async function full(start, height) {
    const level = Math.floor(height / 8);
    let hashes = [];
    const first = start / 256 ** level;
    const b = await tile(level, Math.floor(first / 256));
    for (let i = 0; i < 2 ** (height % 8); i++) {
      const at = ((first % 256) + i) * 32;
      hashes.push(b.subarray(at, at + 32));
    }
    while (hashes.length > 1) {
      const up = [];
      for (let i = 0; i < hashes.length; i += 2) up.push(await nodeHash(hashes[i], hashes[i + 1]));
      hashes = up;
    }
    return hashes[0];
  }
  async function range(start, end) {
    const height = Math.log2(end - start);
    if (Number.isInteger(height)) return full(start, height);
    const k = split(end - start);
    return nodeHash(await range(start, start + k), await range(start + k, end));
  }
  async function proof(m, start, end, whole) { // SUBPROOF of RFC 6962, Section 2.1.2
    if (m === end - start) return whole ? [] : [await range(start, end)];
    const k = split(end - start);
    if (m <= k) return [...(await proof(m, start, start + k, whole)), await range(start + k, end)];
    return [...(await proof(m - k, start + k, end, false)), await range(start, start + k)];
  }
  const path = m === 0 || m >= n ? [] : await proof(m, 0, n, true);
  return consistent(m, rootM, n, rootN, path);
}

const badName = /[\u0000-\u0020+\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

function checkName(name, what) {
  need(name !== "" && !badName.test(name), `${what}: a name without spaces, plus and control characters is wanted`);
  need(utf8(name).length <= 255, `${what}: the name is longer than 255 bytes`);
}

const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

// The y coordinates, little endian, of the points of small order.
const smallOrder = new Set([
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  `ec${"ff".repeat(30)}7f`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);

/** checkEd25519 refuses points of small order and those that are not canonical (y of 2^255-19 or more). */
export function checkEd25519(key, what) {
  need(key.length === 32, `${what}: not an Ed25519 key`);
  const y = key.slice();
  y[31] &= 0x7f;
  need(!smallOrder.has(hex(y)), `${what}: a point of small order`);
  need(!(y[31] === 0x7f && y[0] >= 0xed && y.subarray(1, 31).every((b) => b === 0xff)), `${what}: a point that is not canonical`);
}

/** ed25519 reports whether a signature holds. */
export async function ed25519(key, signature, message) {
  if (signature.length !== 64) return false;
  try {
    const k = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, k, signature, message);
  } catch (e) {
    if (e.name === "NotSupportedError") throw e;
    return false; // a point that is not on the curve
  }
}

const types = { log: 1, cosigner: 4, mldsa: 6 };

/** parseVKey reads name+hex8(id)+base64(type ‖ key). */
export async function parseVKey(s) {
  const [, name, id, b64] = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(s) ?? [];
  need(b64 !== undefined, "a verifier key: not name+id+base64");
  checkName(name, "a verifier key");
  const what = `the verifier key of ${name}`;
  const raw = unbase64(b64, what);
  need([1, 4, 6].includes(raw[0]), `${what}: a type that is not 0x01, 0x04 or 0x06`);
  const key = raw.subarray(1);
  if (raw[0] === types.mldsa) need(key.length === 1312, `${what}: not an ML-DSA-44 key`);
  else checkEd25519(key, what);
  const want = hex((await sha256(concat(utf8(name + "\n"), raw))).subarray(0, 4));
  need(id === want, `${what}: its ID is ${want}`);
  return { name, id, type: raw[0], key, vkey: s };
}

/** parseNote splits a signed note into text and signature lines; nothing is checked yet. */
export function parseNote(signed) {
  need(utf8(signed).length <= 256 << 10, "signed note: larger than 256 KiB");
  need(!/[\u0000-\u0009\u000b-\u001f]/.test(signed), "signed note: a control character");
  const at = signed.lastIndexOf("\n\n");
  need(at >= 0 && signed.endsWith("\n") && at + 2 < signed.length, "signed note: no signature lines after a blank line");
  const lines = signed.slice(at + 2, -1).split("\n");
  need(lines.length <= 64, "signed note: more than 64 signatures");
  const signatures = lines.map((line, i) => {
    const [, name, b64] = /^— ([^ ]*) (.*)$/s.exec(line) ?? [];
    const what = `signature line ${i + 1}`;
    need(b64 !== undefined, `${what}: not an em dash, a name and a signature`);
    checkName(name, what);
    const raw = unbase64(b64, what);
    need(raw.length >= 5, `${what}: too short`);
    return { name, id: hex(raw.subarray(0, 4)), signature: raw.subarray(4) };
  });
  return { text: signed.slice(0, at + 1), signatures };
}

/** parseCheckpoint reads the text of a checkpoint: origin, size and root, no extension lines. */
export function parseCheckpoint(note) {
  const lines = note.split("\n");
  need(lines.length === 4 && lines[3] === "", "checkpoint: not three lines");
  checkName(lines[0], "checkpoint: the origin");
  const size = whole(lines[1], "checkpoint: the size");
  const root = hash(lines[2], "checkpoint: the root");
  need(size > 0 || lines[2] === emptyRoot, "checkpoint: size 0 with another root than that of the empty tree");
  return { origin: lines[0], size, root };
}

/** parsePolicy reads a trust policy of c2sp.org/tlog-policy. A Fault names the line. */
export async function parsePolicy(file) {
  const p = { text: file, logs: [], witnesses: new Map(), groups: new Map(), quorum: "", keys: new Map() };
  const grouped = new Set();
  const defined = (name) => p.witnesses.has(name) || p.groups.has(name);
  async function member(vkey, wanted) {
    const key = await parseVKey(vkey);
    need(wanted.includes(key.type), `a key of type ${wanted.map((t) => `0x0${t}`).join(" or ")} is wanted`);
    const ref = `${key.name}+${key.id}`;
    const m = p.keys.get(ref) ?? { ...key };
    need(m.vkey === vkey, "a second key of the same name and ID");
    p.keys.set(ref, m);
    return m;
  }
  const same = (a, b) => equal(a.key, b.key);
  const define = (name) => need(name !== "none" && !defined(name), `the name ${name} is taken`);
  const keywords = {
    async log(args) {
      need(args.length === 1 || args.length === 2, "want: log <vkey> [<url>]");
      const m = await member(args[0], [types.log, types.mldsa]);
      need(!p.logs.some((l) => same(l, m)), "a second log with this public key");
      m.log = true;
      p.logs.push(m);
    },
    async witness(args) {
      need(args.length === 2 || args.length === 3, "want: witness <name> <vkey> [<url>]");
      define(args[0]);
      const m = await member(args[1], [types.cosigner, types.mldsa]);
      need(![...p.witnesses.values()].some((w) => same(w, m)), "a second witness with this public key");
      m.witness = args[0];
      p.witnesses.set(args[0], m);
    },
    group([name, k, ...members]) {
      need(members.length > 0, "want: group <name> <k>|any|all <name> [<name>...]");
      for (const m of members) {
        need(defined(m), `${m} is not defined before this line`);
        need(!grouped.has(m), `${m} is a member already`);
        grouped.add(m);
      }
      const n = k === "any" ? 1 : k === "all" ? members.length : /^[1-9][0-9]{0,8}$/.test(k) ? Number(k) : 0;
      need(n >= 1 && n <= members.length, `${k} is not any, all or a number from 1 to ${members.length}`);
      define(name);
      p.groups.set(name, { k: n, members });
    },
    quorum(args) {
      need(args.length === 1, "want: quorum <name>|none");
      need(p.quorum === "", "a second quorum line");
      need(args[0] === "none" || defined(args[0]), `${args[0]} is not defined before this line`);
      p.quorum = args[0];
    },
  };
  let number = 0;
  for (const line of file.split("\n")) {
    number++;
    try {
      need(!/[\u0000-\u0008\u000a-\u001f\u007f]/.test(line), "a control character");
      const [keyword, ...args] = line.split(/[ \t]+/).filter((item) => item !== "");
      if (keyword === undefined || keyword.startsWith("#")) continue;
      need(Object.hasOwn(keywords, keyword), "it begins with another word than log, witness, group or quorum");
      await keywords[keyword](args);
    } catch (e) {
      if (e instanceof Fault) throw new Fault(`policy line ${number}: ${e.message}`);
      throw e;
    }
  }
  need(p.quorum !== "", "policy: no quorum line");
  return p;
}

/** reached reports whether cosignatures by these witnesses (names) reach the quorum of a policy. */
export function reached(policy, names) {
  const is = (name) => {
    const g = policy.groups.get(name);
    return g ? g.members.filter(is).length >= g.k : names.includes(name);
  };
  return policy.quorum === "none" || is(policy.quorum);
}

/**
 * openNote checks a signed checkpoint against one policy. Every signature line of
 * a key of the policy must hold, but for those of ML-DSA-44, which WebCrypto does
 * not have: they are counted in unchecked and for nothing else. state is "holds",
 * "unknown" (no log key of the policy signed), "short" (the quorum is not
 * reached) or "unchecked" (whether it holds rests on ML-DSA-44). A line that does
 * not hold is a Fault.
 */
export async function openNote(policy, signed) {
  const { text: note, signatures } = parseNote(signed);
  const checkpoint = parseCheckpoint(note);
  const out = { checkpoint, policy, signed, logKey: null, cosignatures: [], unchecked: [], ignored: 0, state: "holds" };
  const seen = new Set();
  let logs = 0;
  let logUnchecked = false;
  for (const s of signatures) {
    const ref = `${s.name}+${s.id}`;
    const m = policy.keys.get(ref);
    if (!m) {
      out.ignored++;
      continue;
    }
    need(!seen.has(ref), `checkpoint: two signatures by ${ref}`);
    seen.add(ref);
    if (m.type === types.mldsa) {
      need(s.signature.length === 8 + 2420, `checkpoint: the ML-DSA-44 cosignature of ${ref} is not 2,428 bytes long`);
      out.unchecked.push(m.witness ?? m.name);
      logUnchecked ||= m.log && m.name === checkpoint.origin;
      continue;
    }
    let message = note;
    let time = 0;
    if (m.type === types.cosigner) {
      need(s.signature.length === 8 + 64, `checkpoint: the signature of ${ref} does not hold`);
      const stamp = new DataView(s.signature.buffer, s.signature.byteOffset).getBigUint64(0);
      need(stamp < 1n << 63n, `checkpoint: the signature of ${ref} does not hold`);
      time = Number(stamp);
      message = `cosignature/v1\ntime ${stamp}\n${note}`;
    }
    const sig = m.type === types.cosigner ? s.signature.subarray(8) : s.signature;
    need(await ed25519(m.key, sig, utf8(message)), `checkpoint: the signature of ${ref} does not hold`);
    if (m.log) {
      logs++;
      if (m.name === checkpoint.origin) out.logKey ??= m;
    }
    if (m.witness) out.cosignatures.push({ name: m.witness, time });
  }
  if (!out.logKey) {
    need(logs === 0, "checkpoint: it names another log than the one that signed it");
    out.state = logUnchecked ? "unchecked" : "unknown";
    return out;
  }
  const names = out.cosignatures.map((c) => c.name);
  if (!reached(policy, names)) out.state = reached(policy, [...names, ...out.unchecked]) ? "unchecked" : "short";
  return out;
}

/**
 * openAny opens a checkpoint under the newest policy that takes it; policies are
 * given the oldest first, one for each epoch (docs/format.md, section 7). It adds
 * the state "retired".
 */
export async function openAny(policies, signed) {
  let best = null;
  const worth = { unknown: 0, short: 1, unchecked: 2, retired: 3 };
  for (let i = policies.length - 1; i >= 0; i--) {
    const o = await openNote(policies[i], signed);
    const superseded = policies.slice(i + 1).some((p) => p.logs.some((l) => l.name === o.checkpoint.origin));
    if (o.state === "holds" && policies[i].quorum === "none" && superseded) o.state = "retired";
    if (o.state === "holds") return o;
    if (!best || worth[o.state] > worth[best.state]) best = o;
  }
  need(best, "no trust policy");
  return best;
}

/**
 * times returns [notBefore, notAfter] that cosignatures show under the quorum of
 * a policy, in seconds since 1970; null if those that say a time don't reach it,
 * or the quorum is none (docs/format.md, section 4.2).
 */
export function times(policy, cosignatures) {
  const dated = cosignatures.filter((c) => c.time > 0 && c.time <= 253402300799).sort((a, b) => a.time - b.time);
  if (policy.quorum === "none") return null;
  const end = (list) => {
    const names = [];
    for (const c of list) {
      names.push(c.name);
      if (reached(policy, names)) return c.time;
    }
    return null;
  };
  const after = end(dated);
  return after === null ? null : [end(dated.toReversed()), after];
}
