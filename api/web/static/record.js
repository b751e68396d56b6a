// Records: docs/format.md, section 2. One spelling, keys, signatures.

import { base64url, canonical, concat, need, sha256, spell, unbase64url, utf8 } from "./bytes.js";
import { checkEd25519, ed25519, leafHash } from "./log.js";
import { checkPayload } from "./schema.js";

const malformed = { code: "record.malformed" };

/** members demands exactly these members of an object, names ending in ? being optional. */
export function members(object, names, what) {
  need(object !== null && typeof object === "object" && !Array.isArray(object), `${what}: not an object`, malformed);
  const known = new Set(names.map((n) => n.replace("?", "")));
  for (const name of Object.keys(object)) need(known.has(name), `${what}: the member ${name} is not known`, malformed);
  for (const name of names) need(name.endsWith("?") || name in object, `${what}: ${name} is missing`, malformed);
}

function decode64(s, what) {
  need(typeof s === "string", `${what}: not a string`, malformed);
  try {
    return unbase64url(s, what);
  } catch (e) {
    e.code = malformed.code;
    throw e;
  }
}

/** hash32 reads 32 bytes of strict base64url. */
export function hash32(s, what) {
  const b = decode64(s, what);
  need(b.length === 32, `${what}: not 32 bytes`, malformed);
  return b;
}

// n/2 of P-256, rounded down.
const halfOrder = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n;
const number = (bytes) => bytes.reduce((n, b) => (n << 8n) | BigInt(b), 0n);

/** recordId returns the id of a record's exact bytes. */
export const recordId = async (bytes) => `d-${base64url(await leafHash(bytes))}`;

/** thumbprint returns the kid of a public key, RFC 7638. */
export const thumbprint = async (jwk) => base64url(await sha256(utf8(spell(jwk))));

/**
 * checkKey checks the form of a JWK: exactly what RFC 7638 hashes. That a point
 * lies on its curve the first signature tells: none verifies with one that does
 * not.
 */
export function checkKey(jwk, what) {
  if (jwk?.kty === "OKP" && jwk.crv === "Ed25519") {
    members(jwk, ["crv", "kty", "x"], what);
    checkEd25519(hash32(jwk.x, `${what}: x`), what);
    return;
  }
  need(jwk?.kty === "EC" && jwk.crv === "P-256", `${what}: neither Ed25519 nor P-256`, malformed);
  members(jwk, ["crv", "kty", "x", "y"], what);
  hash32(jwk.x, `${what}: x`);
  hash32(jwk.y, `${what}: y`);
}

function parseHeader(bytes, what) {
  const h = canonical(bytes, what);
  members(h, ["alg", "iat", "kid", "seen", "seq", "typ"], what);
  members(h.seen, ["root", "size"], `${what}: seen`);
  need(h.alg === "EdDSA" || h.alg === "ES256", `${what}: alg is neither EdDSA nor ES256`, malformed);
  need(h.typ === "docket-record", `${what}: typ is not docket-record`, malformed);
  need(Number.isInteger(h.iat) && h.iat >= 1 && h.iat <= 253402300799, `${what}: iat is no time`, malformed);
  need(Number.isInteger(h.seq) && h.seq >= 1, `${what}: seq is not 1 or more`, malformed);
  need(Number.isInteger(h.seen.size) && h.seen.size >= 0, `${what}: seen/size is no size`, malformed);
  hash32(h.kid, `${what}: kid`);
  const root = hash32(h.seen.root, `${what}: seen/root`);
  need(h.seen.size > 0 || h.seen.root === "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", `${what}: seen/root is not that of the empty tree`, malformed);
  return { ...h, seenRoot: root };
}

/**
 * parseRecord reads a record in its one spelling, and checks no signature. The
 * codes of its Faults are record.malformed and type.unsupported.
 */
export async function parseRecord(bytes, what = "record") {
  need(bytes.length <= 65535, `${what}: larger than 65,535 bytes`, malformed);
  const jws = canonical(bytes, what);
  members(jws, ["payload", "signatures"], what);
  const list = jws.signatures;
  need(Array.isArray(list) && list.length >= 1 && list.length <= 16, `${what}: not 1 to 16 signatures`, malformed);
  const signatures = list.map((s, i) => {
    const part = `${what}: signature ${i + 1}`;
    members(s, ["protected", "signature"], part);
    const header = parseHeader(decode64(s.protected, part), part);
    const raw = decode64(s.signature, part);
    need(raw.length === 64, `${part}: not 64 bytes`, malformed);
    need(header.alg !== "ES256" || number(raw.subarray(32)) <= halfOrder, `${part}: ES256 with high s`, malformed);
    return { header, raw, input: utf8(`${s.protected}.${jws.payload}`) };
  });
  for (let i = 1; i < signatures.length; i++) {
    need(signatures[i - 1].header.kid < signatures[i].header.kid, `${what}: signatures not sorted by kid, each once`, malformed);
  }
  const payload = canonical(decode64(jws.payload, `${what}: payload`), `${what}: payload`);
  checkPayload(payload, `${what}: payload`, checkKey);
  return { bytes, payload, signatures, leaf: await leafHash(bytes), id: await recordId(bytes) };
}

/** broughtKeys are the public keys that a payload brings with it, by kid. */
export async function broughtKeys(p) {
  const jwks = [];
  if (p.type === "charter") jwks.push(...p.founders.map((f) => f.jwk));
  if (p.type === "charter" || p.type === "charter.amend") jwks.push(...p.recovery.keys);
  if (p.type === "key.enrol") jwks.push(p.jwk);
  if (p.type === "appeal" && p.filer_jwk) jwks.push(p.filer_jwk);
  return new Map(await Promise.all(jwks.map(async (jwk) => [await thumbprint(jwk), jwk])));
}

async function holds(jwk, s) {
  const x = unbase64url(jwk.x, "x");
  if (jwk.kty === "OKP") return ed25519(x, s.raw, s.input);
  const point = concat([4], x, unbase64url(jwk.y, "y"));
  let key;
  try {
    key = await crypto.subtle.importKey("raw", point, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  } catch {
    return false; // not on the curve
  }
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, s.raw, s.input);
}

/**
 * checkSignatures checks every signature of a record of the ledger origin. keys
 * are those enrolled before, by kid; a charter is checked with its own alone. The
 * codes of its Faults are ledger.mismatch, key.unknown and signature.invalid; an
 * unknown key is missing, not wrong.
 */
export async function checkSignatures(record, origin, keys, what = "record") {
  const p = record.payload;
  need(p.ledger === origin, `${what}: signed for another ledger, ${p.ledger}`, { code: "ledger.mismatch" });
  const own = await broughtKeys(p);
  const found = record.signatures.map((s) => {
    const jwk = own.get(s.header.kid) ?? (p.type === "charter" ? undefined : keys.get(s.header.kid));
    need(jwk, `${what}: the key ${s.header.kid} of a signer is not in this file`, { code: "key.unknown", missing: true });
    return jwk;
  });
  for (const [i, s] of record.signatures.entries()) {
    const alg = found[i].kty === "OKP" ? "EdDSA" : "ES256";
    need(s.header.alg === alg && (await holds(found[i], s)), `${what}: the signature of ${s.header.kid} does not hold`, { code: "signature.invalid" });
  }
}
