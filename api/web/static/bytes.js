// Bytes, base64, SHA-256, and the one accepted spelling of JSON: docs/format.md,
// sections 2.1 and 6. Nothing here is taken from the Go implementation.

/** A Fault says why something is refused. missing: nothing is known to be wrong, but something is not there. */
export class Fault extends Error {
  constructor(message, { missing = false, code = "" } = {}) {
    super(message);
    this.missing = missing;
    this.code = code;
  }
}

/** need throws a Fault unless the condition holds. */
export function need(condition, message, options) {
  if (!condition) throw new Fault(message, options);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** utf8 returns the bytes of a text. */
export const utf8 = (text) => encoder.encode(text);

/** text returns what UTF-8 bytes spell; anything else is a Fault. */
export function text(bytes, what) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Fault(`${what}: not UTF-8`);
  }
}

/** concat joins bytes. */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

/** equal compares bytes. */
export const equal = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

/** base64 returns the standard base64 of bytes, with padding. */
export function base64(bytes) {
  let s = "";
  for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(s);
}

/** base64url returns the base64url of bytes, without padding. */
export const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** unbase64 decodes standard base64, of which it accepts one spelling. */
export function unbase64(s, what) {
  let raw;
  try {
    raw = atob(s);
  } catch {
    throw new Fault(`${what}: not base64`);
  }
  need(btoa(raw) === s, `${what}: not base64 in its one spelling`);
  return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}

/** unbase64url decodes strict base64url without padding (RFC 7515, Section 2). */
export function unbase64url(s, what) {
  need(/^[A-Za-z0-9_-]*$/.test(s) && s.length % 4 !== 1, `${what}: not base64url without padding`);
  const padded = s.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (s.length % 4)) % 4);
  return unbase64(padded, what);
}

/** sha256 returns the hash of bytes. */
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** whole reads a size or an index: decimal, no sign, no leading zero, at most 2^53-1. */
export function whole(s, what) {
  const n = Number(s);
  need(/^(0|[1-9][0-9]{0,15})$/.test(s) && Number.isSafeInteger(n), `${what}: not a number from 0 to 2^53-1 without leading zeros`);
  return n;
}

const depth = 24; // deeper than any record

/**
 * canonical parses JSON in its one accepted spelling: RFC 8785, with strings,
 * integers within ±(2^53-1), arrays and objects alone. Anything else is a Fault
 * with the code record.malformed. Objects have no prototype.
 */
export function canonical(bytes, what) {
  const s = text(bytes, what);
  let at = 0;
  const wrong = (why) => {
    throw new Fault(`${what}: ${why} at character ${at}, want canonical JSON (RFC 8785) of strings, integers, arrays and objects`, { code: "record.malformed" });
  };
  const expect = (c) => (s[at] === c ? at++ : wrong(at < s.length ? `found ${JSON.stringify(s[at])}` : "it ends"));

  function string() {
    expect('"');
    // Whatever has a shorter escape, or needs none, must be spelled so.
    const m = /(?:[^"\\\u0000-\u001f]|\\["\\bfnrt]|\\u00(?:0[0-7bef]|1[0-9a-f]))*/y;
    m.lastIndex = at;
    const body = m.exec(s)[0];
    at += body.length;
    expect('"');
    return JSON.parse(`"${body}"`);
  }
  function integer() {
    const m = /0|-?[1-9][0-9]{0,15}/y;
    m.lastIndex = at;
    const found = m.exec(s);
    if (!found || !Number.isSafeInteger(Number(found[0]))) wrong("no string, integer, array or object");
    at += found[0].length;
    return Number(found[0]);
  }
  function list(open, close, item) {
    expect(open);
    if (s[at] === close) return at++;
    item();
    while (s[at] === ",") {
      at++;
      item();
    }
    expect(close);
  }
  function value(left) {
    if (left === 0) wrong("it is nested too deeply");
    if (s[at] === '"') return string();
    if (s[at] === "[") {
      const all = [];
      list("[", "]", () => all.push(value(left - 1)));
      return all;
    }
    if (s[at] !== "{") return integer();
    const all = Object.create(null);
    let last;
    list("{", "}", () => {
      const name = string();
      if (last !== undefined && !(last < name)) wrong(`member ${JSON.stringify(name)} out of order or twice`);
      last = name;
      expect(":");
      all[name] = value(left - 1);
    });
    return all;
  }
  const v = value(depth);
  if (at !== s.length) wrong("more after the end");
  return v;
}

/** spell returns the canonical JSON of what canonical has parsed. */
export function spell(v) {
  if (Array.isArray(v)) return `[${v.map(spell).join(",")}]`;
  if (typeof v !== "object") return JSON.stringify(v);
  return `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${spell(v[k])}`).join(",")}}`;
}
