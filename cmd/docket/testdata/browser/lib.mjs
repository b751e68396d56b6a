// What the browser tests share: a Chromium that reaches one server only, pages
// that complain of whatever goes wrong on them, and checks that are counted.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

/** The URL of the server under test, without a slash at its end. */
export const base = (process.argv[2] ?? "").replace(/\/$/, "");
if (!/^http:\/\/127\.0\.0\.1:\d+$/.test(base)) {
  console.error(`usage: node ${process.argv[1]} http://127.0.0.1:PORT`);
  process.exit(2);
}

/** The same server under a name that makes no secure context: no https, and not loopback by name. */
export const insecure = base.replace("127.0.0.1", "ledger.test");

/** The widths at which every page is looked at: a phone, a tablet, a desk. */
export const widths = [360, 768, 1440];
export const schemes = ["light", "dark"];
export const height = 900;

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts a Chromium that finds no host but this machine's loopback. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    chromiumSandbox: process.getuid() !== 0,
    args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", `--host-resolver-rules=MAP ${new URL(insecure).hostname} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost`],
  });
}

/**
 * Opens a page in a context of its own; options are Playwright's, and origins that
 * may be asked besides that of the server. page.troubles collects, as text, every
 * message of the console that is a warning or an error, every exception,
 * violation of the content security policy, dialog, failed request, answer with
 * a status of 400 or more, and request to another origin. What a check expects
 * is taken out with page.expects(regexp).
 */
export async function open(browser, { origins = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const expected = [];
  page.troubles = [];
  page.expects = (...patterns) => expected.push(...patterns);
  const trouble = (text) => { if (!expected.some((e) => e.test(text))) page.troubles.push(text); };
  context.on("request", (r) => {
    const url = new URL(r.url());
    if (![base, ...origins].includes(url.origin) && url.protocol !== "data:" && url.protocol !== "blob:") trouble(`request to another origin: ${r.url()}`);
  });
  // The icon is asked for last, and given up when the page is left.
  context.on("requestfailed", (r) => /\/icon\.svg\?/.test(r.url()) && r.failure()?.errorText === "net::ERR_ABORTED" || trouble(`request failed: ${r.url()}: ${r.failure()?.errorText}`));
  context.on("response", (r) => { if (r.status() >= 400) trouble(`status ${r.status()}: ${r.url()}`); });
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) trouble(`console ${m.type()}: ${m.text()}`); });
  page.on("pageerror", (e) => trouble(`exception: ${e.message}`));
  page.on("dialog", (d) => { trouble(`dialog: ${d.message()}`); d.dismiss().catch(() => {}); });
  await page.exposeBinding("__violation", (_, text) => trouble(`content security policy: ${text}`));
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) =>
    window.__violation(`${e.violatedDirective} ${e.blockedURI} in ${e.sourceFile || document.URL}:${e.lineNumber}`)));
  return page;
}

/** Loads a path, or a URL, and waits until nothing is under way; returns the answer. */
export async function visit(page, path, status = 200) {
  if (status >= 400) page.expects(new RegExp(`^status ${status}: `), /^console error: Failed to load resource: the server responded with a status of 4/);
  const answer = await page.goto(new URL(path, base).href, { waitUntil: "load" });
  await settled(page);
  if (answer.status() !== status) throw new Error(`${path}: status ${answer.status()}, want ${status}`);
  return answer;
}

/** Waits until a verification that runs on the page, if any, has said something. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const section = document.querySelector("#verify");
    return !section || section.hidden || section.querySelector("[data-result]") !== null || section.matches("[data-result]");
  }, null, { timeout: 10_000 }).catch(() => page.troubles.push("the verification of the page never ended"));
}

/** Returns what axe-core finds of impact serious or critical, by all rules or some, but for others; one line each. */
export async function axe(page, rules, but = []) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async ([only, but]) => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const result = await window.axe.run(document, {
      runOnly: only ? { type: "rule", values: only } : { type: "tag", values: tags },
      rules: { ...(only ? {} : { "target-size": { enabled: true } }), ...Object.fromEntries(but.map((r) => [r, { enabled: false }])) },
      resultTypes: ["violations"],
    });
    return result.violations.filter((v) => ["serious", "critical"].includes(v.impact)).flatMap((v) =>
      v.nodes.map((n) => `axe ${v.id} (${v.impact}): ${n.target.join(" ")}: ${n.failureSummary.replace(/\s+/g, " ").slice(0, 220)}`));
  }, [rules, but]);
  return found;
}

/** Returns what sticks out of the window to the right, one line; none if nothing does. */
export function overflow(page) {
  return page.evaluate(() => {
    const root = document.documentElement, room = root.clientWidth;
    if (root.scrollWidth <= room && document.body.scrollWidth <= room) return [];
    const hidden = (e) => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > room + 0.5 && !hidden(e));
    const name = (e) => `${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""}${[...e.classList].map((c) => "." + c).join("")}`;
    return [`horizontal scrolling: ${Math.max(root.scrollWidth, document.body.scrollWidth)} px in ${room}, by ${wide.slice(-3).map(name).join(", ") || "?"}`];
  });
}

/** Follows the links of the site from / and returns the paths of its pages, each once. */
export async function crawl(extra = []) {
  const found = new Set(["/", ...extra]), pages = [], queries = new Map();
  for (const path of found) {
    const answer = await fetch(base + path, { headers: { Accept: "text/html,*/*;q=0.1" } });
    const text = await answer.text();
    if (!answer.headers.get("content-type")?.startsWith("text/html")) continue;
    pages.push({ path, status: answer.status, text });
    for (const [, href] of text.matchAll(/<a\s[^>]*?href="([^"]*)"/g)) {
      const url = new URL(href.replaceAll("&amp;", "&").replaceAll("&#43;", "+").replaceAll("&#34;", '"').replaceAll("&#39;", "'"), base + path);
      if (url.origin !== base || url.pathname.startsWith("/v1/")) continue;
      // Every combination of filters is a page, too: so many of each path are enough.
      const seen = queries.get(url.pathname) ?? 0;
      if (url.search && !found.has(url.pathname + url.search)) { if (seen >= 12) continue; queries.set(url.pathname, seen + 1); }
      found.add(url.pathname + url.search);
    }
  }
  return pages;
}

const failed = [];
let checks = 0;

/** Runs one check, whose troubles are returned or thrown, and prints its outcome. */
export async function check(name, body) {
  checks++;
  const start = Date.now();
  let troubles;
  try { troubles = (await body()) ?? []; } catch (e) { troubles = [e.stack?.split("\n").slice(0, 4).join(" | ") ?? String(e)]; }
  troubles = [...new Set(troubles)];
  console.log(`${troubles.length ? "FAIL" : "ok  "} ${name} (${Date.now() - start} ms)`);
  for (const t of troubles) console.log(`       ${t}`);
  if (troubles.length) failed.push(name);
}

/** Prints the sum and ends the process: 1 if a check failed or there was none. */
export async function finish(browser) {
  await browser?.close();
  console.log(`${checks} checks, ${failed.length} failed`);
  process.exit(failed.length || !checks ? 1 : 0);
}

/** Runs fn on each item, n at a time. */
export async function each(items, n, fn) {
  const queue = [...items];
  await Promise.all(Array.from({ length: n }, async () => { while (queue.length) await fn(queue.shift()); }));
}
