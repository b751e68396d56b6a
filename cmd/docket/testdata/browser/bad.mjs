// What people and programs get wrong: each answer is a page that says so, with the
// right status, never one of 500 and never one without a word.

import { base, check, crawl, finish, launch, open, overflow } from "./lib.mjs";

const pages = await crawl(["/policies", "/keys", "/check"]);
const paths = (prefix) => pages.map((p) => p.path).filter((p) => p.startsWith(prefix) && !p.includes("?"));
const id = paths("/records/")[0].slice("/records/".length);
const name = paths("/cases/")[0].slice("/cases/".length);
const policy = (paths("/policies/")[0] ?? "/policies/rulebook").slice("/policies/".length);
const kid = (paths("/keys/")[0] ?? "/keys/none").slice("/keys/".length);
const swap = (s, i) => s.slice(0, i) + (s[i] === "A" ? "B" : "A") + s.slice(i + 1); // one letter wrong
const flipped = [...id].map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase())).join("").replace(/^D/, "d");

// path, status, and what the page must say or link to.
const asked = [
  // filters
  ["/search?nosuch=1", 400, /nosuch/],
  ["/search?type=nosuch", 400, /type/i],
  ["/search?action=explode", 400, /action|decided/i],
  ["/search?layer=layer", 400, /layer|service/i],
  ["/search?severity=bad", [200, 400]],
  ["/search?standing=maybe", 400, /standing/i],
  ["/search?month=2026-13", 400, /month/i],
  ["/search?month=soon", 400, /month/i],
  ["/search?trigger=none-such", 400],
  ["/search?version=rulebook", [200, 400]],
  ["/search?version=rulebook/x", [200, 400]],
  ["/search?clause=a/b/c/d/e", [200, 400]],
  ["/search?outcome=draw", 400],
  ["/search?mode=silent", 400],
  ["/search?about=d-nothing", [200, 400]],
  ["/search?signer=nobody", [200, 400]],
  ["/search?holder=nobody", 200, /nothing|no record/i],
  ["/search?case=" + "x".repeat(3000), [200, 400]],
  ["/search?type=decision&type=appeal", 200],
  ["/search?order=sideways", 400, /order/i],
  // dates
  ["/search?from=2026-02-30", 400, /2026-02-30/],
  ["/search?from=2026-13-01", 400, /from/i],
  ["/search?until=yesterday", 400, /until/i],
  ["/search?from=2026-12-31&until=2026-01-01", [200, 400], /until|from|before|nothing/i],
  ["/search?from=0000-00-00", 400],
  ["/search?from=9999-12-31", 200, /nothing|no record/i],
  ["/search?from=99999999999999999999", 400],
  // cursors
  ["/search?cursor=%25%25%25", 400, /cursor|page/i],
  ["/search?cursor=AAAA", 400, /cursor|page/i],
  ["/search?cursor=-1", 400, /cursor|page/i],
  ["/search?cursor=99999999999999999999", 400, /cursor|page/i],
  // words
  ["/search?q=%22open", [200, 400], /quot|"open|nothing|no record/i],
  ["/search?q=-", [200, 400]],
  ["/search?q=-decision", [200, 400]],
  ["/search?q=*", [200, 400]],
  ["/search?q=%22%22", [200, 400]],
  ["/search?q=%22%22%22%22%22", [200, 400]],
  ["/search?q=a*b*", [200, 400]],
  ["/search?q=AND+OR+NOT+(((", [200, 400]],
  ["/search?q=%00%01%1b%7f", [200, 400]],
  ["/search?q=%ff%fe", [200, 400]],
  ["/search?q=%E2%80%AE%E2%81%A6", [200, 400]],
  ["/search?q=%3Cscript%3Ealert(1)%3C/script%3E", [200, 400]],
  ["/search?q=" + "word+".repeat(500), [200, 400]],
  ["/search?q=" + "x".repeat(6000), [200, 400, 414]],
  ["/search?q=nothing-has-this-word", 200, /nothing found|no record/i],
  ["/search?q=%ZZ", [200, 400]],
  ["/search?%ff=1", 400],
  ["/search?q=a;type=b", [200, 400]],
  // ids that are almost right
  [`/records/${swap(id, 9)}`, 404, { link: `/records/${id}` }],
  [`/records/${id.slice(0, -4)}`, [404], { link: `/records/${id}` }],
  [`/records/${id}x`, [404], { link: `/records/${id}` }],
  [`/records/${id.slice(2)}`, [404, 301, 302], { link: `/records/${id}` }],
  [`/records/${flipped}`, 404, { link: `/records/${id}` }],
  [`/records/${id}%20`, [404, 200, 301], { link: `/records/${id}` }],
  ["/records/d-" + "A".repeat(43), 404, /nothing/i],
  ["/records/nonsense", 404, /nothing/i],
  ["/records/", 404, /nothing/i],
  ["/records/%00", 404, /nothing/i],
  ["/records/%ff%fe", 404, /nothing/i],
  ["/records/%3Cscript%3E", 404, /nothing/i],
  ["/records/" + "d".repeat(4000), 404, /nothing/i],
  [`/cases/${name.slice(0, -1)}`, 404, { link: `/cases/${name}` }],
  [`/cases/${name.toUpperCase()}`, 404, { link: `/cases/${name}` }],
  ["/cases/no-such-case-anywhere", 404, /nothing/i],
  [`/policies/${policy.slice(0, -1)}`, 404, { link: `/policies/${policy}` }],
  [`/policies/${policy}?from=1&to=99`, [400, 404], /version/i],
  [`/policies/${policy}?from=x&to=y`, [400, 404], /version|from/i],
  [`/policies/${policy}?from=-1`, [400, 404], /version|from/i],
  [`/policies/${policy}?from=99999999999999999999&to=1`, [400, 404], /version|from/i],
  [`/keys/${swap(kid, 5)}`, 404, /nothing/i],
  ["/keys/nobody", 404, /nothing/i],
  // lists past their end, and with what they don't know
  ["/policies?cursor=zzzz", [200, 400]],
  ["/keys?cursor=zzzz", [200, 400]],
  ["/keys?cursor=99999999999999999999", [200, 400]],
  ["/void?cursor=zzzz", [200, 400]],
  ["/void?cursor=%25", [200, 400]],
  ["/due?at=yesterday", [200, 400]],
  [`/cases/${name}?from=999999`, [200, 400, 404]],
  [`/cases/${name}?from=x`, [200, 400, 404]],
  // elsewhere
  ["/nothing", 404, /nothing/i],
  ["/static/nothing.css", 404],
  ["/static/", 404],
  ["/static/..%2fweb.go", 404],
  ["/check/it", 404],
  ["/search/x", 404],
];

const browser = await launch();
const page = await open(browser, { viewport: { width: 360, height: 900 } });
for (const [path, status, want] of asked) await check(`${path.slice(0, 80)}`, () => helpful(path, [status].flat(), want));

await check("a page past the end says so", pastEnd);
await check("what is wrong stands beside its field", beside);
await check("methods that pages don't have", () => methods());
await finish(browser);

/** A page for people: the status, a heading, an explanation, a way on, and nothing cut off at 360 px. */
async function helpful(path, statuses, want) {
  page.troubles.length = 0;
  page.expects(/^status 4/, /^console error: Failed to load resource: the server responded with a status of 4/);
  const answer = await page.goto(base + path, { waitUntil: "load" });
  const has = await page.evaluate(() => ({
    h1: document.querySelectorAll("h1").length, text: document.querySelector("main")?.innerText ?? "",
    links: [...document.querySelectorAll("main a[href]")].map((a) => decodeURI(a.getAttribute("href"))), ways: document.querySelectorAll("main a[href], main form").length,
  }));
  return [
    !statuses.includes(answer.status()) && `status ${answer.status()}, want ${statuses.join(" or ")}`,
    !/^text\/html/.test(answer.headers()["content-type"] ?? "") && `it is ${answer.headers()["content-type"]}`,
    has.h1 !== 1 && `${has.h1} h1`,
    has.text.trim().length < 60 && `it says only ${JSON.stringify(has.text)}`,
    !has.ways && "no way on",
    want instanceof RegExp && !want.test(has.text) && `it does not say ${want}: ${JSON.stringify(has.text.slice(0, 160))}`,
    want?.link && !has.links.includes(want.link) && new URL(page.url()).pathname !== want.link && `no suggestion of ${want.link}`,
    ...await overflow(page), ...page.troubles,
  ].filter(Boolean);
}

/** The cursor of a page, asked for where nothing can follow it. */
async function pastEnd() {
  const list = await (await fetch(`${base}/v1/records?limit=1&order=oldest`)).json();
  const cursor = list.next ?? list.cursor;
  if (!cursor) return [`/v1/records?limit=1 gives no cursor: ${Object.keys(list).join(" ")}`];
  return helpful(`/search?order=oldest&type=charter&cursor=${encodeURIComponent(cursor)}`, [200, 400], /past the end|no further|first page|cursor/i);
}

async function beside() {
  page.troubles.length = 0;
  await page.goto(`${base}/search?q=fine&from=2026-02-30`);
  return page.evaluate(() => {
    const from = document.querySelector("#from"), words = document.querySelector("#q"), said = document.getElementById(from?.getAttribute("aria-describedby"));
    return [from?.value !== "2026-02-30" && "the date that was typed is gone", words?.value !== "fine" && "the words that were typed are gone",
      from?.getAttribute("aria-invalid") !== "true" && "the field is not marked", !said?.innerText.trim() && "nothing is said beside the field"].filter(Boolean);
  });
}

async function methods() {
  const troubles = [];
  for (const path of ["/", "/search", `/records/${id}`, "/policies", "/keys", "/log", "/check", "/api"]) {
    for (const [method, want] of [["HEAD", [200]], ["POST", [405]], ["PUT", [405]], ["DELETE", [405]], ["OPTIONS", [200, 204, 405]]]) {
      const answer = await fetch(base + path, { method, headers: { Accept: "text/html" } });
      if (!want.includes(answer.status)) troubles.push(`${method} ${path}: status ${answer.status}`);
      if (answer.status === 405 && !answer.headers.get("allow")) troubles.push(`${method} ${path}: no Allow`);
    }
  }
  return troubles;
}
