// Who may sign what: of the rules in docs/format.md, section 4, those that rest on
// nothing but the records of a receipt and no clock: keys, roles, quorums, and what
// a clause permits. Rules of periods, of the numbers of keys and of the order of a
// case are not here; docket-verify applies them.

import { broughtKeys, thumbprint } from "./record.js";
import { openNote, parsePolicy, times } from "./log.js";

const lower = ["policy_lead", "administration_quorum", "registrar_quorum", "policy_quorum", "default_quorum"];
const seconds = (time) => (time === undefined ? 0 : Date.parse(time) / 1000);

/** charterPolicy is the trust policy that a charter names: its log keys and witnesses. */
export const charterPolicy = (terms) => parsePolicy([...terms.log_keys.map((k) => `log ${k}`), ...terms.witnesses, ""].join("\n"));

/** weaker reports whether an amendment makes a ledger less strict, section 4.2. */
function weaker(old, next) {
  return lower.some((m) => (next[m] ?? 0) < (old[m] ?? 0)) || next.recovery.quorum < old.recovery.quorum ||
    next.witnesses.join("\n") !== old.witnesses.join("\n") || (next.decide_tolerance ?? 0) > (old.decide_tolerance ?? 0) ||
    seconds(next.historic_until) > seconds(old.historic_until);
}

/** quorumsFor returns who must sign an ordinary decision under a clause, section 3.3. */
export function quorumsFor(clause, action, severity) {
  const applies = (list, value) => !list || list.includes(value);
  return clause.quorums?.find((q) => applies(q.actions, action) && applies(q.severities, severity))?.signers ?? [clause.quorum];
}

/** Rules judge the records of a receipt in the order of the log. */
export class Rules {
  terms = null; // of the charter in force
  keys = new Map(); // kid -> {jwk, holder, roles, recovery, enrolled}
  policies = new Map(); // id of policy.publish -> {payload, index, iat}
  acts = new Map(); // id -> {payload, signers: Set of holders}
  time = 0; // T, as far as these records tell
  uncertain = false; // something rests on what could not be checked
  unshown = false; // what the last record speaks about is not among these
  #pending = null; // {terms, index, begin, hours}

  /** jwks are the public keys known so far, by kid. */
  get jwks() {
    return new Map([...this.keys].map(([kid, k]) => [kid, k.jwk]));
  }

  /**
   * apply judges one record whose signatures hold. It returns the codes for which
   * it is void, none if it is effective as far as these rules go; a void record
   * changes nothing.
   */
  async apply(index, record) {
    const p = record.payload;
    if (p.type === "charter") return this.#charter(index, record);
    if (!this.terms) return ["charter.missing"];
    const iat = Math.max(...record.signatures.map((s) => s.header.iat));
    this.#amendWhenDue(iat);
    const e = new Exam(this, record, await broughtKeys(p));
    e.apply();
    this.unshown = e.unshown;
    let mark = null;
    if (p.type === "timemark" && e.codes.size === 0) mark = await this.#timemark(p, e);
    if (e.codes.size > 0) return [...e.codes].sort();
    await this.#effective(index, record, e, iat);
    if (mark) {
      this.time = Math.max(this.time, mark.notBefore);
      if (this.#pending && !this.#pending.begin && mark.size > this.#pending.index) this.#pending.begin = mark.notAfter;
    }
    return [];
  }

  get #witnessed() {
    return !this.terms.witnesses.includes("quorum none");
  }

  #amendWhenDue(iat) {
    const w = this.#pending;
    const now = this.#witnessed ? this.time : Math.max(this.time, iat);
    if (w && w.begin && now >= w.begin + w.hours * 3600) {
      this.terms = w.terms;
      this.#pending = null;
    }
  }

  async #charter(index, record) {
    const p = record.payload;
    if (index !== 0 || this.terms) return ["charter.not_first"];
    const codes = new Set();
    const keys = new Map();
    for (const f of p.founders) keys.set(await thumbprint(f.jwk), { jwk: f.jwk, holder: f.holder, roles: f.roles, recovery: false, enrolled: 0 });
    for (const jwk of p.recovery.keys) keys.set(await thumbprint(jwk), { jwk, holder: "recovery key", roles: [], recovery: true, enrolled: 0 });
    if (record.signatures.length < keys.size) codes.add("quorum.short");
    if (record.signatures.some((s) => s.header.seq !== 1)) codes.add("seq.repeat");
    if (record.signatures.some((s) => s.header.seen.size !== 0)) codes.add("seen.mismatch");
    for (const [role, count] of [["registrar", p.registrar_quorum], ["administration", p.administration_quorum]]) {
      const holders = new Set(p.founders.filter((f) => f.roles.includes(role)).map((f) => f.holder));
      if (holders.size < count) codes.add("quorum.unreachable");
    }
    if (codes.size > 0) return [...codes].sort();
    this.terms = p;
    this.keys = keys;
    if (!this.#witnessed) this.time = Math.max(...record.signatures.map((s) => s.header.iat));
    return [];
  }

  async #effective(index, record, e, iat) {
    const p = record.payload;
    if (!this.#witnessed) this.time = Math.max(this.time, iat);
    if (p.type === "key.enrol") {
      this.keys.set(await thumbprint(p.jwk), { jwk: p.jwk, holder: p.holder, roles: p.roles, recovery: false, enrolled: index });
    } else if (p.type === "charter.amend") {
      for (const [kid, jwk] of e.own) {
        if (!this.keys.has(kid)) this.keys.set(kid, { jwk, holder: "recovery key", roles: [], recovery: true, enrolled: index });
      }
      if (weaker(this.terms, p) && !e.recovered) {
        this.#pending = { terms: p, index, begin: this.#witnessed ? 0 : this.time, hours: this.terms.policy_lead ?? 0 };
      } else {
        this.terms = p;
        this.#pending = null;
      }
    } else if (p.type === "policy.publish") {
      this.policies.set(record.id, { payload: p, index, iat });
    } else if (p.type === "decision" || p.type === "ruling" || p.type === "appeal") {
      this.acts.set(record.id, { payload: p, holders: e.holders });
    }
  }

  async #timemark(p, e) {
    let o;
    let policy;
    try {
      policy = await charterPolicy(this.terms);
      o = await openNote(policy, p.checkpoint);
    } catch {
      e.codes.add("timemark.invalid");
      return null;
    }
    const shown = times(policy, o.cosignatures);
    if (o.state === "unchecked" || (o.unchecked.length > 0 && !shown)) {
      this.uncertain = true; // it rests on ML-DSA-44
      return null;
    }
    if (o.state !== "holds" || o.checkpoint.origin !== p.ledger || !shown) {
      e.codes.add("timemark.invalid");
      return null;
    }
    return { size: o.checkpoint.size, notBefore: shown[0], notAfter: shown[1] };
  }
}

/** An Exam looks at who signed one record. */
class Exam {
  codes = new Set();
  signers = []; // {kid, key, isNew}; key is undefined for one that the record brings
  holders = new Set();
  recovered = false;
  unshown = false; // what it speaks about is not in the file, so neither is who must sign

  constructor(rules, record, own) {
    this.rules = rules;
    this.record = record;
    this.own = own;
    const type = record.payload.type;
    for (const { header } of record.signatures) {
      const key = rules.keys.get(header.kid);
      if (type === "appeal" && !key && own.has(header.kid)) continue; // the filer's own: shown, not counted
      const brought = type !== "appeal" && own.has(header.kid);
      this.signers.push({ kid: header.kid, key, isNew: brought && (type === "key.enrol" || !key) });
    }
    for (const s of this.signers) if (s.key) this.holders.add(s.key.holder);
  }

  apply() {
    const p = this.record.payload;
    const terms = this.rules.terms;
    const one = (role) => this.#demand([{ role, count: 1 }]);
    const by = {
      "charter.amend": () => this.#orRecovery("administration", terms.administration_quorum, (s) => s.isNew),
      "key.enrol": () => this.#enrol(p),
      "key.revoke": () => this.#revoke(p),
      "policy.publish": () => this.#demand([{ role: "policy", count: terms.policy_quorum }]),
      "policy.repeal": () => this.#demand([{ role: "policy", count: terms.policy_quorum }]),
      intake: () => one("intake"),
      appeal: () => one("intake"),
      notice: () => one("decider"),
      decision: () => this.#decision(p),
      ratification: () => this.#ratification(p),
      ruling: () => this.#ruling(p),
      erratum: () => this.#erratum(p),
      execution: () => one("enforcer"),
      export: () => one("machine"),
      timemark: () => one("machine"),
      erasure: () => one("privacy"),
    };
    by[p.type]();
  }

  /** Distinct holders of the roles fill all places, nobody two; every signer holds one of the roles. */
  #demand(quorums) {
    const places = new Map();
    for (const q of quorums) places.set(q.role, Math.max(places.get(q.role) ?? 0, q.count));
    const roles = [...places.keys()];
    const may = new Map(); // holder -> roles that are asked for
    for (const s of this.signers) {
      const has = roles.filter((r) => s.key?.roles.includes(r));
      if (has.length === 0) this.codes.add("role.missing");
      else may.set(s.key.holder, new Set([...(may.get(s.key.holder) ?? []), ...has]));
    }
    const taken = new Map(); // place -> holder, by augmenting paths
    const seats = roles.flatMap((r) => Array.from({ length: places.get(r) }, (_, i) => `${r} ${i}`));
    const place = (holder, tried) => seats.some((seat) => {
      if (tried.has(seat) || !may.get(holder).has(seat.split(" ")[0])) return false;
      tried.add(seat);
      if (taken.has(seat) && !place(taken.get(seat), tried)) return false;
      taken.set(seat, holder);
      return true;
    });
    for (const holder of may.keys()) place(holder, new Set());
    if (taken.size < seats.length) this.codes.add("quorum.short");
  }

  #orRecovery(role, count, leftOut) {
    const staff = new Set();
    const recovery = new Set();
    const inForce = new Set(this.rules.terms.recovery.keys.map((k) => k.x));
    for (const s of this.signers) {
      if (leftOut(s)) continue;
      if (s.key?.recovery && inForce.has(s.key.jwk.x)) recovery.add(s.kid);
      else if (s.key?.roles.includes(role)) staff.add(s.key.holder);
      else this.codes.add("role.missing");
    }
    this.recovered = recovery.size >= this.rules.terms.recovery.quorum;
    if (staff.size < count && !this.recovered) this.codes.add("quorum.short");
  }

  #enrol(p) {
    this.#orRecovery("registrar", this.rules.terms.registrar_quorum, (s) => s.isNew);
    const fresh = this.signers.find((s) => s.isNew);
    if (!fresh) this.codes.add("enrol.possession");
    if (fresh?.key && (fresh.key.recovery || fresh.key.holder !== p.holder)) this.codes.add("enrol.other_holder");
  }

  #revoke(p) {
    if (this.signers.length === 1 && this.signers[0].kid === p.kid) return;
    const count = p.reason === "compromised" ? 1 : this.rules.terms.registrar_quorum;
    this.#orRecovery("registrar", count, (s) => s.kid === p.kid && !s.key?.roles.includes("registrar"));
  }

  /** clauses returns those that a decision cites, as published; what is not there is undefined. */
  clauses(p) {
    return (p.grounds ?? []).filter((g) => g.policy !== undefined).map((g) => {
      const found = this.rules.policies.get(g.record)?.payload;
      return found?.policy === g.policy && found.version === g.version ? found.clauses.find((c) => c.clause === g.clause) : undefined;
    });
  }

  quorumsOf(p) {
    const clauses = this.clauses(p).filter(Boolean);
    if (clauses.length === 0) return [{ role: "decider", count: this.rules.terms.default_quorum }];
    return clauses.flatMap((c) => (p.emergency && c.emergency ? [c.emergency.quorum] : quorumsFor(c, p.action, p.severity)));
  }

  #decision(p) {
    const clauses = this.clauses(p);
    const alone = (p.grounds ?? []).some((g) => g.policy === undefined);
    if (clauses.length === 0 && !alone && !["decline", "forward"].includes(p.action)) this.codes.add("ground.none");
    const there = clauses.filter(Boolean);
    if (there.length < clauses.length) this.codes.add("ground.unpublished");
    for (const c of there) this.#permits(c, p);
    if (p.emergency && there.length === 0) this.codes.add("emergency.not_permitted");
    this.#demand(this.quorumsOf(p));
  }

  #permits(c, p) {
    const there = c.permits.filter((x) => x.service_layers.includes(p.service_layer));
    if (there.length === 0) this.codes.add("ground.wrong_layer");
    else if (!there.some((x) => x.actions.includes(p.action))) this.codes.add("action.not_permitted");
    for (const group of c.not_together ?? []) {
      if (group.filter((h) => this.holders.has(h)).length > 1) this.codes.add("signers.conflict");
    }
    if (!p.severity && !p.emergency && c.quorums?.some((q) => q.severities)) this.codes.add("severity.missing");
    if (p.emergency && !c.emergency?.harms.includes(p.emergency.harm)) this.codes.add("emergency.not_permitted");
    if (["authority_order", "court_order"].includes(p.trigger.kind) && c.orders?.must_carry.some((m) => !p.trigger[m])) this.codes.add("order.incomplete");
    if (!["terminate", "suspend", "restrict"].includes(p.action)) return;
    const late = (time, hours) => time === undefined || seconds(time) > seconds(p.effective_at) + hours * 3600;
    if (c.max_duration && late(p.until, c.max_duration)) this.codes.add("duration.exceeded");
    if (c.review_within && late(p.review_at, c.review_within)) this.codes.add("review.missing");
  }

  /** Who has to sign depends on a record that is not here, which is no fault (the codes for it need the whole log). */
  #unknown() {
    this.unshown = true;
  }

  #about(id) {
    return this.rules.acts.get(id);
  }

  #ratification(p) {
    const d = this.#about(p.decision);
    if (d?.payload.type !== "decision") return this.#unknown();
    const how = d.payload.emergency ? "emergency" : d.payload.retrospective ? "retrospective" : "";
    const quorums = this.clauses(d.payload).flatMap((c) => c?.[how]?.ratifiers ?? []);
    if (quorums.length === 0) return this.#confirmation(d); // after a key was compromised
    this.#demand(quorums);
    if ([...this.holders].some((h) => d.holders.has(h))) this.codes.add("ratification.not_independent");
  }

  #confirmation(d) {
    this.#demand([{ role: "decider", count: Math.max(...this.quorumsOf(d.payload).map((q) => q.count)) }]);
  }

  #ruling(p) {
    const a = this.#about(p.appeal)?.payload;
    const d = a?.type === "appeal" ? this.#about(a.decision) : undefined;
    if (d?.payload.type !== "decision") return this.#unknown();
    const fallback = { role: "appeals", count: this.rules.terms.default_quorum };
    const quorums = this.clauses(d.payload).filter(Boolean).map((c) => c.appeal?.quorum ?? fallback);
    this.#demand(quorums.length > 0 ? quorums : [fallback]);
    if ([...this.holders].some((h) => d.holders.has(h))) this.codes.add("ruling.not_independent");
  }

  #erratum(p) {
    const d = this.#about(p.about);
    if (d?.payload.type !== "decision") return this.#unknown();
    this.#confirmation(d);
  }
}
