// Verification in the browser: it holds where all is well, and fails for all to see
// when a byte was altered between server and browser.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { base, check, crawl, finish, insecure, launch, open, visit } from "./lib.mjs";

const demo = process.env.DEMO;
const pages = await crawl(["/check"]);
const isDecision = (p) => /<h1[^>]*>\s*Decision to/.test(p.text);
const decisions = pages.filter((p) => p.path.startsWith("/records/") && isDecision(p)).map((p) => p.path);
const path = decisions[0], other = decisions.find((d) => d !== path);
const receipts = (folder) => readdirSync(join(demo, folder)).filter((f) => f.endsWith(".tlog-proof")).sort().map((f) => join(demo, folder, f));
function oldest() { return readFileSync(receipts("receipts")[0]); }
// The receipts in DIR/receipts have no cosignatures: they hold for who trusts the log's key alone.
const logAlone = readFileSync(join(demo, "trust.policy"), "utf8");
const pinLogAlone = (page) => page.addInitScript((text) => localStorage.setItem("docket.policy", text), logAlone);
const receipt = await (await fetch(`${base}/v1${path}/receipt`)).text();
const policy = await (await fetch(`${base}/v1/trust.policy`)).text();
const browser = await launch();

/** Runs fn on a page whose traffic prepare may change. */
async function on(url, fn, prepare, options) {
  const page = await open(browser, options);
  try {
    await prepare?.(page);
    await visit(page, url);
    return [...(await fn(page)) ?? [], ...page.troubles];
  } finally {
    await page.context().close();
  }
}

/** What the page of a record says came of it. */
async function outcome(page) {
  return {
    result: await page.locator("#verify").getAttribute("data-result"),
    said: await page.locator("#verify").innerText(),
    alarm: await page.locator("#verify-alarm").isVisible(),
  };
}

async function holds(page) {
  const o = await outcome(page);
  return [o.result !== "holds" && `the result is ${o.result}: ${o.said.slice(0, 300)}`, o.alarm && "an alarm"].filter(Boolean);
}

/** It must be said at the top of the page, and nothing may claim that it holds. */
async function fails(page) {
  const o = await outcome(page);
  return [o.result !== "fails" && `the result is ${o.result}: ${o.said.slice(0, 200)}`, !o.alarm && "no alarm on top of the page",
    /it holds|it is in the log/.test(o.said) && "it says that it holds, all the same"].filter(Boolean);
}

const bytes = (route) => route.fetch().then(async (answer) => ({ answer, body: await answer.body() }));

/** Alters what the server answers to one request. */
const altering = (pattern, change) => (page) => page.route(pattern, async (route) => {
  const { answer, body } = await bytes(route);
  await route.fulfill({ response: answer, body: change(body) });
});

/** Another byte of the same kind, so that what is altered can still be read. */
const flip = (b) => (b === 0x41 ? 0x42 : b >= 0x41 && b <= 0x5a ? 0x41 : b >= 0x61 && b <= 0x7a ? (b === 0x61 ? 0x62 : 0x61) : b >= 0x30 && b <= 0x39 ? (b === 0x30 ? 0x31 : 0x30) : b ^ 1);
const flipAt = (at) => (body) => { const b = Buffer.from(body); b[at] = flip(b[at]); return b; };

// That every other record holds is looked at with its page, by pages.mjs.
await check("a decision holds", () => on(path, holds));
// One byte in each line of the receipt: header, index, proof, checkpoint, signatures, record and support.
const lines = receipt.split("\n");
for (let i = 0, at = 0; i < lines.length; at += lines[i].length + 1, i++) {
  if (!lines[i]) continue;
  const where = at + Math.floor(lines[i].length * 0.6);
  await check(`one byte altered in line ${i + 1} of the receipt (${lines[i].slice(0, 24)})`, () => on(path, fails, altering(`**${path}/receipt`, flipAt(where))));
}
await check("the receipt cut short", () => on(path, fails, altering(`**${path}/receipt`, (b) => b.subarray(0, b.length - 40))));
await check("the receipt of another record", () => on(path, fails, async (page) => {
  const wrong = await (await fetch(`${base}/v1${other}/receipt`)).text();
  await page.route(`**${path}/receipt`, (route) => route.fulfill({ body: wrong, contentType: "text/plain" }));
}));
await check("one letter altered in the text of the page", () => on(path, fails, altering(`${base}${path}`, (body) => {
  const html = body.toString(), at = html.indexOf('class="text"'), p = html.indexOf("<p>", at) + 5;
  return Buffer.from(html.slice(0, p) + (html[p] === "x" ? "y" : "x") + html.slice(p + 1));
})));
await check("one byte altered in the newest checkpoint", () => on(path, fails, altering("**/checkpoint", (body) => {
  const text = body.toString(), at = text.split("\n").slice(0, 2).join("\n").length + 6; // in its root
  return flipAt(at)(body);
})));
await check("one byte altered in the signature of the newest checkpoint", () => on(path, fails, altering("**/checkpoint", (body) => flipAt(body.length - 20)(body))));
// The log serves an older checkpoint, of witnesses who saw it early: only tiles tell that both are one log.
const older = await (await fetch(`${base}/v1/checkpoints?covers=5`)).text();
const withTiles = async (page, change) => {
  const seen = { asked: 0 };
  await page.route("**/checkpoint", (route) => route.fulfill({ body: older, contentType: "text/plain" }));
  await altering("**/tile/**", (body) => { seen.asked++; return change(body); })(page);
  return seen;
};
for (const [name, change, judge] of [["no byte", (b) => b, holds], ["one byte", (b) => flipAt(Math.floor(b.length / 2))(b), fails]]) {
  await check(`${name} altered in a tile`, async () => {
    let seen;
    const found = await on(path, judge, async (page) => { seen = await withTiles(page, change); });
    return seen.asked ? found : [...found, "no tile was asked for"];
  });
}
await check("no receipt at all", () => on(path, async (page) => {
  const o = await outcome(page);
  return o.result === "holds" ? ["it holds without a receipt"] : /receipt/.test(o.said) ? [] : [`it says only: ${o.said.slice(0, 200)}`];
}, async (page) => {
  page.expects(/^status 404/, /^console error: Failed to load/, /ERR_ABORTED$/);
  await page.route(`**${path}/receipt`, (route) => route.fulfill({ status: 404, body: "" }));
}));

await check("keys are pinned, and a server that changes them is found out", pinning);
await check("under the key of another log nothing holds", () => on(path, fails, (page) =>
  page.route("**/v1/trust.policy", (route) => route.fulfill({ body: forged(), contentType: "text/plain" }))));
await check("without WebCrypto it says so, and nothing else breaks", () => on(path, unavailable, (page) =>
  page.addInitScript(() => Object.defineProperty(Crypto.prototype, "subtle", { value: undefined }))));
await check("in an insecure context it says so", () => on(insecure + path, unavailable, (page) =>
  page.expects(/Cross-Origin-Opener-Policy header has been ignored/), { origins: [insecure] }));
await check("without Ed25519 in WebCrypto it says so", () => on(path, unavailable, (page) => page.addInitScript(() => {
  const real = SubtleCrypto.prototype.importKey;
  SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...rest) {
    if ((algorithm.name ?? algorithm) === "Ed25519") return Promise.reject(new DOMException("Unrecognized name", "NotSupportedError"));
    return real.call(this, format, key, algorithm, ...rest);
  };
})));

await check("/check: every receipt of the demonstration holds", () => onCheck(receipts("witnessed").map((f) => readFileSync(f)), holding));
await check("/check: without cosignatures they hold under a pinned policy that asks for none", () =>
  onCheck(receipts("receipts").map((f) => readFileSync(f)), holding, pinLogAlone));
await check("/check: without cosignatures they don't hold where witnesses are asked for", () => onCheck([oldest()],
  (s) => s.result === "fails" && /witness/.test(s.text) ? [] : [`${s.result}: ${s.text.slice(0, 300)}`]));
await check("/check: a void record is proven to be in the log, and void", () => onCheck([readFileSync(receipts("void")[0])], (s) => /void/.test(s.text) && s.result === "holds" ? [] : [`${s.result}: ${s.text.slice(0, 300)}`], pinLogAlone));
await check("/check: a dropped file is checked", () => onCheck([readFileSync(receipts("witnessed").at(-1))], holding, null, true));
await check("/check: one byte altered in a file", async () => {
  const good = readFileSync(receipts("receipts").at(-1)), troubles = [];
  for (const share of [0.02, 0.2, 0.45, 0.7, 0.98]) {
    troubles.push(...await onCheck([flipAt(Math.floor(good.length * share))(good)], (s) => s.result === "fails" ? [] : [`byte at ${share}: ${s.result}: ${s.text.slice(-200)}`], pinLogAlone));
  }
  return troubles;
});
await check("/check: what is no receipt is refused in words", async () => {
  const troubles = [];
  for (const junk of [Buffer.alloc(0), Buffer.from("hello"), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255, 254]), Buffer.from("PK\u0003\u0004broken"), Buffer.from("{}"), Buffer.from("<script>window.hacked=1</script>\n".repeat(100))]) {
    troubles.push(...await onCheck([junk], (s) => [s.result === "holds" && "it holds", s.text.trim().length < 20 && `it says only ${JSON.stringify(s.text)}`].filter(Boolean)));
  }
  return troubles;
});
await check("/check: a case file", async () => {
  const name = pages.map((p) => p.path).find((p) => p.startsWith("/cases/")), answer = await fetch(`${base}/v1${name}/file`);
  if (answer.status !== 200) return [`${name}: no case file: status ${answer.status}`];
  return onCheck([Buffer.from(await answer.arrayBuffer())], (s) => s.result === "holds" ? [] : [`${s.result}: ${s.text.slice(0, 300)}`], null, false, "case.zip");
});
await finish(browser);

function holding(s) {
  return s.result === "holds" ? [] : [`the result is ${s.result}: ${s.text.slice(-600)}`];
}

/** Gives files to /check and says what came of it. */
function onCheck(files, judge, prepare, drop, name = "receipt.tlog-proof") {
  return on("/check", async (page) => {
    const list = files.map((buffer, i) => ({ name: files.length > 1 ? `${i}-${name}` : name, mimeType: "application/octet-stream", buffer }));
    if (drop) {
      const data = await page.evaluateHandle((all) => {
        const d = new DataTransfer();
        for (const f of all) d.items.add(new File([Uint8Array.from(f.bytes)], f.name));
        return d;
      }, list.map((f) => ({ name: f.name, bytes: [...f.buffer] })));
      const zone = page.locator("#check .drop, #check.drop, .drop").first();
      for (const type of ["dragenter", "dragover", "drop"]) await zone.dispatchEvent(type, { dataTransfer: data });
    } else {
      await page.locator("#check input[type=file]").setInputFiles(list);
    }
    await page.waitForSelector("#check[data-result]", { timeout: 15_000 });
    return judge({ result: await page.locator("#check").getAttribute("data-result"), text: await page.locator("main").innerText() });
  }, prepare);
}

/** A trust policy with the name of this log and a key that is not its own. */
function forged() {
  const [, key] = policy.match(/^log (\S+)/m), parts = key.split("+");
  const raw = Buffer.from(parts.slice(2).join("+"), "base64");
  raw[5] ^= 1;
  return `log ${parts[0]}+${parts[1]}+${raw.toString("base64")}\nquorum none\n`;
}

/** Says what is missing, claims nothing, and the rest of the page is there. */
async function unavailable(page) {
  const o = await outcome(page);
  return [o.result !== "not checked" && `the result is ${o.result}`, !/WebCrypto|browser/i.test(o.said) && `it says only: ${o.said.slice(0, 200)}`,
    /it holds/.test(o.said) && "it says that it holds", !await page.locator("main .text").first().isVisible() && "the page is gone"].filter(Boolean);
}

async function pinning() {
  return on(path, async (page) => {
    const troubles = [];
    const keys = page.locator("#verify details", { hasText: "Against which keys" });
    await keys.locator("summary").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Pin these keys" }).click();
    await page.waitForSelector("#verify[data-result]");
    await visit(page, other);
    const o = await outcome(page);
    if (o.result !== "holds") troubles.push(`pinned: ${o.result}`);
    if (!/you pinned/.test(await page.locator("#verify").evaluate((e) => e.textContent))) troubles.push("the other page does not say that the keys are pinned");
    await page.route("**/v1/trust.policy", (route) => route.fulfill({ body: forged(), contentType: "text/plain" }));
    await visit(page, path);
    troubles.push(...(await fails(page)).map((t) => `other keys: ${t}`));
    await page.unroute("**/v1/trust.policy");
    await page.locator("#verify details", { hasText: "Against which keys" }).evaluate((e) => { e.open = true; });
    await page.getByRole("button", { name: "Forget the pinned keys" }).click();
    await page.waitForSelector("#verify[data-result]");
    if (await page.evaluate(() => localStorage.length) !== 0) troubles.push("something is kept after the keys were forgotten");
    return troubles;
  });
}
