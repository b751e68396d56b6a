// The site as not everybody sees it: without script, on paper, enlarged, with
// less motion, with forced colours, and with the spacing that a reader sets.

import { axe, check, crawl, each, finish, height, launch, open, overflow, visit } from "./lib.mjs";

const browser = await launch();
const pages = (await crawl(["/policies", "/keys", "/stats", "/due", "/void", "/log", "/check", "/api"])).filter((p) => p.status === 200);
const records = pages.filter((p) => p.path.startsWith("/records/"));
const template = (path) => path.replace(/\?.*/, "?").replace(/^(\/\w+\/).+/, "$1");
const each1 = [...new Map(pages.map((p) => [template(p.path), p])).values()]; // one of each template

await check("without script every page is complete", () => every(pages, complete, { javaScriptEnabled: false }));
await check("without script a record says how to check it", () => every(records, saysHow, { javaScriptEnabled: false }));
await check("without script /check says how to check", () => every([{ path: "/check" }], saysHow, { javaScriptEnabled: false }));
await check("without script the search works", searches);
await check("on paper nothing that matters is hidden", () => every(each1, onPaper));
await check("at 200 % every page fits", () => every(each1, overflow, { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 }));
await check("at 400 % every page fits", () => every(each1, overflow, { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 }));
await check("with letters twice as large every page fits", () => every(each1, largeLetters, { viewport: { width: 1024, height } }));
await check("with wider spacing no text is cut off", () => every(each1, spaced, { viewport: { width: 360, height } }));
await check("who wants less motion gets none", () => every(each1, still, { reducedMotion: "reduce" }));
await check("with forced colours the states are still told", () => every(each1, forced, { forcedColors: "active" }));
await finish(browser);

/** Runs fn on each of the pages, in one context for all, and returns all troubles. */
async function every(list, fn, options) {
  const troubles = [];
  if (!list.length) return ["there are no such pages"];
  const contexts = [await open(browser, options), await open(browser, options)];
  await each(list, 2, async (p) => {
    const page = contexts.pop();
    page.troubles.length = 0;
    try {
      await visit(page, p.path);
      const found = [...(await fn(page, p)) ?? [], ...page.troubles];
      troubles.push(...found.map((t) => `${p.path}: ${t}`));
    } catch (e) {
      troubles.push(`${p.path}: ${e.message}`);
    }
    contexts.push(page);
  });
  for (const page of contexts) await page.context().close();
  return troubles;
}

/** All that the server sent is there and to be seen, but for the verification. */
async function complete(page) {
  const unseen = () => page.evaluate(() => [...document.querySelectorAll("body *")]
    .filter((e) => !e.closest("#verify, #check, svg, noscript, script, option, details:not([open])") && !e.checkVisibility() && e.textContent.trim())
    .map((e) => e.outerHTML.slice(0, 80)));
  const wide = await unseen();
  await page.setViewportSize({ width: 360, height });
  const hidden = (await unseen()).filter((e) => wide.includes(e)); // at no width to be seen
  await page.setViewportSize({ width: 1440, height });
  const has = await page.evaluate(() => {
    const main = document.querySelector("main");
    return {
      text: main.innerText.trim().length,
      dead: [...main.querySelectorAll("button:not([type=submit])")].filter((e) => e.checkVisibility() && !e.form).map((e) => e.outerHTML.slice(0, 80)),
    };
  });
  return [has.text < 60 && `only ${has.text} characters`, ...hidden.map((h) => `hidden: ${h}`), ...has.dead.map((h) => `does nothing: ${h}`)].filter(Boolean);
}

async function saysHow(page) {
  const text = await page.locator("main").innerText();
  return /docket-verify receipt/.test(text) ? [] : ["docket-verify is not named"];
}

async function searches() {
  return every([{ path: "/" }], async (page) => {
    await page.locator("#find").fill("decision");
    await page.locator("form[role=search] button").click();
    await page.waitForURL("**/search?q=decision**");
    await page.locator(".facets a").first().click();
    await page.waitForURL("**&**");
    return await page.locator("main h1").count() === 1 ? [] : ["no page of results"];
  }, { javaScriptEnabled: false });
}

/** A page as it prints on A4: dark on white, nothing cut off, no text lost. */
async function onPaper(page, { path }) {
  const parts = ".text, .quote, .timeline, .facts dd, main h1, main h2, main h3, main table, .notice";
  const before = await page.evaluate((s) => [...document.querySelectorAll(s)].filter((e) => e.checkVisibility() && !e.closest("form, #verify, .facets, nav")).map((e) => e.innerText), parts);
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await page.setViewportSize({ width: 680, height: 960 }); // what A4 leaves between margins
  const after = await page.evaluate((s) => [...document.querySelectorAll(s)].filter((e) => e.checkVisibility() && !e.closest("form, #verify, .facets, nav")).map((e) => e.innerText), parts);
  const has = await page.evaluate(() => ({
    ground: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.querySelector("main")).color,
    cut: [...document.querySelectorAll("main pre, main code, main .scroll")].filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0).map((e) => e.outerHTML.slice(0, 80)),
  }));
  const pdf = await page.pdf({ format: "A4", margin: { top: "15mm", bottom: "15mm", left: "15mm", right: "15mm" } });
  const sheets = (pdf.toString("latin1").match(/\/Type\s*\/Page\b/g) ?? []).length;
  await page.emulateMedia({ media: null, colorScheme: null });
  const lost = before.filter((t) => t.trim() && !after.some((a) => a.replace(/\s+/g, "") === t.replace(/\s+/g, "")));
  return [
    ...lost.slice(0, 3).map((t) => `not on paper: ${JSON.stringify(t.slice(0, 80))}`),
    ...has.cut.map((c) => `cut off: ${c}`),
    !/^rgb\(255, 255, 255\)|rgba\(0, 0, 0, 0\)$/.test(has.ground) && `the ground is ${has.ground}`,
    !/^rgb\(([0-5]?\d), /.test(has.ink) && `the ink is ${has.ink}`,
    pdf.length < 2000 && `a PDF of ${pdf.length} bytes`,
    !sheets && "a PDF without a page", sheets > 30 && `${sheets} sheets`,
  ].filter(Boolean);
}

async function largeLetters(page) {
  await page.evaluate(() => { document.documentElement.style.fontSize = "200%"; });
  return [...await overflow(page), ...await cutOff(page)];
}

/** The spacing of WCAG 1.4.12. */
async function spaced(page) {
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }");
    document.adoptedStyleSheets = [sheet];
  });
  return [...await overflow(page), ...await cutOff(page)];
}

/** What is wider or higher than its box and can't be scrolled. */
function cutOff(page) {
  return page.evaluate(() => [...document.querySelectorAll("body *:not(.unseen):not(svg *)")].filter((e) => {
    const s = getComputedStyle(e);
    if (!e.checkVisibility() || e.closest(".unseen, .skip") || e.tagName === "INPUT" || e.tagName === "SELECT") return false;
    return (s.overflowX === "hidden" || s.overflowX === "clip") && e.scrollWidth > e.clientWidth + 1 || (s.overflowY === "hidden" || s.overflowY === "clip") && e.scrollHeight > e.clientHeight + 1;
  }).slice(0, 3).map((e) => `cut off: ${e.outerHTML.slice(0, 90)}`));
}

async function still(page) {
  return page.evaluate(() => [...document.querySelectorAll("*")].filter((e) => {
    const s = getComputedStyle(e);
    return s.animationName !== "none" || s.transitionDuration.split(", ").some((d) => parseFloat(d) > 0.01) || s.scrollBehavior === "smooth";
  }).slice(0, 3).map((e) => `moves: ${e.outerHTML.slice(0, 90)}`));
}

/** States have a word, so that colours may go. The colours are the system's then, which axe-core does not see. */
async function forced(page) {
  const mute = await page.evaluate(() => [...document.querySelectorAll(".notice, .tag")].filter((e) => e.checkVisibility() && !/\p{L}{2}/u.test(e.innerText)).map((e) => e.outerHTML.slice(0, 80)));
  return [...mute.map((m) => `no word in ${m}`), ...await axe(page, null, ["color-contrast"])];
}
