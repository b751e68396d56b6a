// Payloads: docs/format.md, section 3, as a table. The lists of values of the
// member dsa are not held to here; they are those of another database.

import { Fault, need, unbase64url } from "./bytes.js";

const space = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;
const isString = (v) => typeof v === "string" && v !== "";
const text = (v) => typeof v === "string" && !space.test(v);
const matches = (re) => (v) => typeof v === "string" && re.test(v);
const slug = matches(/^[a-z0-9][a-z0-9-]{0,63}$/);
const caseName = (v) => slug(v) && v.length >= 3 && !v.startsWith("d-");
const lang = matches(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$/);
const country = matches(/^[A-Z]{2}$/);
const int = (low, high = Number.MAX_SAFE_INTEGER) => (v) => Number.isInteger(v) && v >= low && v <= high;
const oneOf = (...values) => (v) => values.includes(v);
const hours = (low) => int(low, 10 * 366 * 24);

function hash(v) {
  if (typeof v !== "string" || v.length !== 43) return false;
  try {
    return unbase64url(v, "hash").length === 32;
  } catch {
    return false;
  }
}
const id = (v) => typeof v === "string" && v.startsWith("d-") && hash(v.slice(2));

function time(v) {
  if (typeof v !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(v)) return false;
  const ms = Date.parse(v);
  return ms >= 1000 && new Date(ms).toISOString() === v.replace("Z", ".000Z");
}

function origin(v) {
  if (typeof v !== "string") return false;
  const [host, ...path] = v.split("/");
  return /^[a-z0-9][a-z0-9.:-]{0,127}$/.test(host) && path.length <= 8 && path.every((s) => /^[A-Za-z0-9._~-]{1,64}$/.test(s));
}

/** list has so many elements of a form; once demands that no two are the same. */
const list = (of, low = 1, high = Infinity) => ({ of, low, high });
const once = (of, low = 1, high = Infinity) => ({ of, low, high, once: true });
const jwk = { jwk: true };

const roles = ["administration", "registrar", "policy", "decider", "intake", "ratifier", "appeals", "enforcer", "privacy", "machine"];
const actions = ["terminate", "suspend", "restrict", "warn", "decline", "forward", "reinstate"];
const layers = ["hosting", "cdn_proxy", "security", "dns", "registrar", "other"];
const kinds = ["own_initiative", "notice", "trusted_flagger", "authority_order", "court_order"];
const severities = ["low", "medium", "high", "critical"];
const channels = ["form", "email", "letter", "api", "telephone", "own_monitoring", "other"];
const some = (values) => list(oneOf(...values), 1, values.length);
const each = (values) => once(oneOf(...values), 1, values.length);
const quorum = (...as) => ({ count: int(1, 16), role: oneOf(...as) });

const terms = {
  administration_quorum: int(1, 16), registrar_quorum: int(1, 16), policy_quorum: int(1, 16), default_quorum: int(1, 16),
  contact: text, operator: text, lang, "text?": isString, decide_tolerance: hours(0), draft_life: hours(1), "historic_until?": time,
  log_keys: list(text, 1, 8), policy_lead: hours(0), recovery: { keys: list(jwk, 1, 16), quorum: int(1, 16) }, rules: int(0, 1),
  subject_key_hash: hash, tolerance: int(0, 3600), witnesses: list(text, 1, 64),
};
const clause = {
  clause: slug, title: text, text, permits: list({ actions: some(actions), service_layers: some(layers) }, 1, 16), quorum: quorum("decider"),
  "quorums?": list({
    "actions?": some(actions), "severities?": each(severities),
    signers: list(quorum("decider", "ratifier", "administration", "policy", "privacy"), 1, 4),
  }, 1, 16),
  "not_together?": list(once(slug, 2, 16), 1, 16), "notice?": { hours: hours(1), "exempt?": each(kinds) }, "notify_within?": hours(1),
  "emergency?": { harms: once(slug, 1, 16), quorum: quorum("decider"), ratifiers: quorum("ratifier", "decider"), ratify_within: hours(1) },
  "retrospective?": { ratifiers: quorum("ratifier", "decider"), ratify_within: hours(1) },
  "appeal?": { within: hours(1), quorum: quorum("appeals"), rule_within: hours(1) },
  "max_duration?": hours(1), "review_within?": hours(1), "orders?": { must_carry: each(["authority", "legal_reference", "intake"]) },
};
const subject = { ref: hash, type: oneOf("domain", "url", "account", "ip_address", "other"), "name?": isString, "locator?": isString };
const trigger = { kind: oneOf(...kinds), "intake?": id, "authority?": isString, "reporter?": isString, "legal_reference?": isString };
const grounds = list({ record: id, "policy?": slug, "version?": int(1), "clause?": slug }, 1, 16);
const strings = list((v) => typeof v === "string");
const correctable = ["alternatives", "distinguishing_reason", "evidence", "facts", "lang", "reasons", "redress", "subject/locator",
  "subject/name", "territory", "trigger/authority", "trigger/legal_reference", "trigger/reporter"];

const dsa = { category: isString, content_date: matches(/^\d{4}-\d\d-\d\d$/), content_type: strings, decision_ground: isString };
for (const m of ["account_type", "content_id_ean", "content_language", "decision_account", "decision_ground_reference_url", "decision_monetary",
  "decision_provision", "illegal_content_legal_ground", "illegal_content_explanation", "incompatible_content_ground",
  "incompatible_content_explanation", "incompatible_content_illegal", "category_specification_other", "content_type_other",
  "decision_monetary_other", "decision_visibility_other"]) dsa[`${m}?`] = isString;
for (const m of ["category_addition", "category_specification", "decision_visibility"]) dsa[`${m}?`] = strings;

const act = { case: caseName, prev: id, lang };
const types = {
  charter: { ...terms, founders: list({ holder: slug, jwk, roles: each(roles), "valid_until?": time }, 1, 15) },
  "charter.amend": { ...terms, rules: int(1, 1), reasons: text },
  "key.enrol": { holder: slug, jwk, roles: each(roles), "valid_until?": time },
  "key.revoke": { kid: hash, reason: oneOf("retired", "lost", "compromised"), "since?": time },
  "policy.publish": {
    policy: slug, version: int(1), title: text, lang, effective_from: time, "historic?": { source: text }, clauses: list(clause, 1, 100),
  },
  "policy.repeal": { policy: slug, effective_from: time, lang, reasons: text },
  intake: {
    case: caseName, "prev?": id, category: slug, channel: oneOf(...channels), service_layer: oneOf(...layers), subject, received_at: time,
    trigger, "summary?": isString, "lang?": lang,
  },
  notice: {
    case: caseName, "prev?": id, kind: oneOf("proposed", "decision"), channel: oneOf(...channels), service_layer: oneOf(...layers), subject, lang,
    text, "action?": oneOf(...actions), "respond_by?": time, "grounds?": grounds, "decision?": id, "redress?": text,
  },
  decision: {
    case: caseName, "prev?": id, service_layer: oneOf(...layers), action: oneOf(...actions), subject, "grounds?": grounds,
    "severity?": oneOf(...severities), facts: text, reasons: text, lang, "alternatives?": list({ action: oneOf(...actions), why_not: text }, 1, 7),
    trigger, automation: { detection: oneOf("manual", "automated"), decision: oneOf("none", "partial", "full") },
    "territory?": list(country), decided_at: time, effective_at: time, "until?": time, "review_at?": time, "redress?": isString,
    "emergency?": { harm: slug }, "retrospective?": { why: text }, "precedents?": once(id, 1, 16), "distinguishing_reason?": isString,
    "dsa?": dsa, "evidence?": list({ sha256: hash, what: text }),
  },
  ratification: { ...act, decision: id, reasons: text },
  appeal: { ...act, decision: id, filer: oneOf("subject", "reporter", "other"), "filer_jwk?": jwk, received_at: time, statement: text },
  ruling: {
    ...act, appeal: id, outcome: oneOf("upheld", "reversed", "modified"), reasons: text, "action?": oneOf("suspend", "restrict", "warn"), "until?": time,
  },
  erratum: {
    about: id, lang, reasons: text,
    corrections: list({ member: (v) => correctable.some((c) => v === c || (isString(v) && v.startsWith(`${c}/`))), was: text, is: text }, 1, 16),
  },
  execution: { about: id, at: time, result: oneOf("done", "failed"), system: slug, "detail?": isString, "lang?": lang },
  timemark: { checkpoint: text },
  export: { about: id, at: time, register: slug, "reference?": isString },
  erasure: { about: id, members: once(text, 1, 32), lang, reasons: text },
};

/** What depends on more than one member: each says that a payload is in order. */
const together = {
  charter: (p) => distinct([...p.founders.map((f) => f.jwk), ...p.recovery.keys]) && p.founders.length + p.recovery.keys.length <= 16 && recoverable(p),
  "charter.amend": (p) => distinct(p.recovery.keys) && recoverable(p),
  "key.revoke": (p) => (p.reason === "compromised") === ("since" in p),
  "policy.publish": (p) => new Set(p.clauses.map((c) => c.clause)).size === p.clauses.length &&
    p.clauses.every((c) => (c.quorums ?? []).every((q) => (q.actions || q.severities) && q.signers.some((s) => s.role === "decider"))),
  intake: (p) => p.trigger.kind !== "own_initiative" && !p.trigger.intake && (!p.summary || "lang" in p),
  notice: (p) => (p.kind === "proposed" ? !("decision" in p) && !("redress" in p) && "action" in p && "respond_by" in p && clauses(p.grounds)
    : !("action" in p) && !("grounds" in p) && !("respond_by" in p) && "decision" in p && "redress" in p),
  decision: (p) => !(p.emergency && p.retrospective) && (!p.until || p.until > p.effective_at) && clauses(p.grounds, p.action === "reinstate"),
  ruling: (p) => (p.outcome === "modified" ? "action" in p : !("action" in p) && !("until" in p)),
  execution: (p) => !p.detail || "lang" in p,
};
const distinct = (keys) => new Set(keys.map((k) => `${k.crv} ${k.x} ${k.y}`)).size === keys.length;
const recoverable = (p) => p.recovery.quorum <= p.recovery.keys.length;

/** Each ground names policy, version and clause, or, where that may stand alone, none of them. */
function clauses(grounds = [], alone = false) {
  const named = (g) => ["policy", "version", "clause"].filter((m) => m in g).length;
  return grounds.every((g) => named(g) === 3 || (alone && named(g) === 0));
}

function check(value, form, what, checkKey) {
  const wrong = (condition) => need(condition, `${what}: not as docs/format.md, section 3, has it`, { code: "record.malformed" });
  if (typeof form === "function") return wrong(form(value));
  if (form === jwk) {
    try {
      return checkKey(value, what);
    } catch (e) {
      throw e instanceof Fault ? new Fault(e.message, { code: "record.malformed" }) : e;
    }
  }
  if (form.of) {
    wrong(Array.isArray(value) && value.length >= form.low && value.length <= form.high);
    wrong(!form.once || new Set(value).size === value.length);
    value.forEach((v, i) => check(v, form.of, `${what}/${i}`, checkKey));
    return;
  }
  wrong(value !== null && typeof value === "object" && !Array.isArray(value));
  for (const m of Object.keys(value)) {
    const f = form[m] ?? form[`${m}?`];
    need(f, `${what}: the member ${m} is not known`, { code: "record.malformed" });
    check(value[m], f, `${what}/${m}`, checkKey);
  }
  for (const m of Object.keys(form)) need(m.endsWith("?") || m in value, `${what}: ${m} is missing`, { code: "record.malformed" });
}

/** checkPayload holds a payload to its type. checkKey(jwk, what) checks a public key. The codes of its Faults are record.malformed and type.unsupported. */
export function checkPayload(p, what, checkKey) {
  need(p !== null && typeof p === "object" && !Array.isArray(p), `${what}: not an object`, { code: "record.malformed" });
  need("v" in p && "type" in p, `${what}: v or type is missing`, { code: "record.malformed" });
  need(p.v === 1, `${what}: a version that is not known here`, { code: "type.unsupported" });
  need(Object.hasOwn(types, p.type), `${what}: a type that is not known here`, { code: "type.unsupported" });
  check(p, { v: int(1, 1), type: isString, ledger: origin, ...types[p.type] }, what, checkKey);
  need(together[p.type]?.(p) ?? true, `${what}: its members do not go together`, { code: "record.malformed" });
}
