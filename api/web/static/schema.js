// Payloads: docs/format.md, section 3.

import { need } from "./bytes.js";

const types = ["charter", "charter.amend", "key.enrol", "key.revoke", "policy.publish", "policy.repeal", "intake", "notice", "decision",
  "ratification", "appeal", "ruling", "erratum", "execution", "timemark", "export", "erasure"];

/** checkPayload. */
export function checkPayload(p, what, checkKey) {
  need(p.v === 1, `${what}: v is not 1`, { code: "type.unsupported" });
  need(types.includes(p.type), `${what}: the type is not known`, { code: "type.unsupported" });
}
