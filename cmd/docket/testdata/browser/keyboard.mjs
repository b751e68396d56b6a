// The site without a mouse: what Tab reaches, in which order, whether it shows,
// and what Enter and Space do.

import { base, check, crawl, each, finish, height, launch, open, visit } from "./lib.mjs";

const browser = await launch();
const pages = await crawl(["/check", "/api"]);
// One page of each template is walked from its first link to its last.
const template = (path) => path.replace(/\?.*/, "?").replace(/^(\/\w+\/).+/, "$1");
const walked = [...new Map(pages.filter((p) => p.status === 200).map((p) => [template(p.path), p.path])).values()];
const decision = pages.find((p) => p.path.startsWith("/records/") && /<h1[^>]*>\s*Decision to/.test(p.text)).path;


/** Runs fn on a loaded page, adds what the page complains of, and closes it. */
async function on(path, fn, options) {
  const page = await open(browser, options);
  try {
    await visit(page, path);
    return [...(await fn(page)) ?? [], ...page.troubles];
  } finally {
    await page.context().close();
  }
}

/** Describes what has the focus; null at the end of the page. */
function focused(page) {
  return page.evaluate(() => {
    const e = document.activeElement;
    if (!e || e === document.body || e === document.documentElement) return null;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    const ring = parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none" && !/, 0\)$|transparent/.test(style.outlineColor);
    const x = Math.min(Math.max(box.left + Math.min(box.width / 2, 8), 0), innerWidth - 1), y = Math.min(Math.max(box.top + Math.min(box.height / 2, 8), 0), innerHeight - 1);
    const top = document.elementFromPoint(x, y);
    return {
      n: [...document.querySelectorAll("*")].indexOf(e),
      name: `${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""} ${JSON.stringify((e.innerText || e.value || e.getAttribute("aria-label") || "").trim().slice(0, 40))}`,
      ring: ring || style.boxShadow !== "none",
      shown: box.width >= 1 && box.height >= 1 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
      covered: top !== null && top !== e && !e.contains(top) && !top.contains(e) && ["fixed", "sticky"].includes(getComputedStyle(top).position),
    };
  });
}

/** Presses Tab until the page ends, on the narrowest and the widest window. */
async function walk(path) {
  const troubles = [];
  for (const width of [360, 1440]) {
    troubles.push(...await on(path, async (page) => {
      const all = await page.evaluate(() => [...document.querySelectorAll("a[href], button:not([disabled]), input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
        .filter((e) => e.checkVisibility({ visibilityProperty: true })).map((e) => [...document.querySelectorAll("*")].indexOf(e)));
      const reached = [], bad = [];
      for (let i = 0; i < all.length + 20; i++) {
        await page.keyboard.press("Tab");
        const f = await focused(page);
        if (!f) break;
        if (reached.includes(f.n)) { bad.push(`Tab is caught at ${f.name}`); break; }
        if (reached.length && f.n < reached.at(-1)) bad.push(`${f.name} comes out of the order of the text`);
        reached.push(f.n);
        if (!f.shown) bad.push(`${f.name} has the focus where nobody sees it`);
        else if (!f.ring) bad.push(`the focus does not show on ${f.name}`);
        if (f.covered) bad.push(`${f.name} is covered while it has the focus`);
      }
      const missed = all.filter((n) => !reached.includes(n));
      const names = await page.evaluate((ns) => ns.map((n) => document.querySelectorAll("*")[n].outerHTML.slice(0, 90)), missed);
      return [...bad, ...names.map((n) => `Tab never reaches ${n}`)].map((t) => `${width} px: ${t}`);
    }, { viewport: { width, height } }));
  }
  return troubles;
}

const skip = () => on("/search", async (page) => {
  await page.keyboard.press("Tab");
  const first = await focused(page);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const inside = await page.evaluate(() => document.querySelector("main").contains(document.activeElement));
  return [!/^a "Skip/i.test(first?.name) && `Tab reaches ${first?.name} first`, !first?.shown && "the skip link does not show when it has the focus",
    !inside && "after it, Tab goes on outside main"].filter(Boolean);
});

const search = () => on("/", async (page) => {
  await tabTo(page, "#find");
  await page.keyboard.type("signed");
  await Promise.all([page.waitForURL("**/search?**"), page.keyboard.press("Enter")]);
  const asked = new URL(page.url()).searchParams.get("q");
  return asked === "signed" ? [] : [`the search asked for ${JSON.stringify(asked)}`];
});

const facets = () => on("/search", async (page) => {
  const closed = page.locator(".facets details:not([open]) > summary").first();
  if (!await closed.count()) return ["no facet is closed"];
  const facet = await closed.evaluate((e) => { e.parentElement.id = "facet-under-test"; return e.textContent; });
  await tabTo(page, "#facet-under-test > summary");
  await page.keyboard.press("Space");
  if (!await page.locator("#facet-under-test[open]").count()) return [`Space does not open ${facet}`];
  await page.keyboard.press("Tab");
  await Promise.all([page.waitForURL("**/search?**"), page.keyboard.press("Enter")]);
  return await page.locator(".chips").count() ? [] : ["the filter that was chosen is not shown"];
});

const download = () => on(decision, async (page) => {
  const receipt = page.locator("main a[href$='/receipt']").first();
  if (!await receipt.count()) return ["no link to the receipt"];
  await receipt.evaluate((e) => { e.id = "receipt-under-test"; });
  await tabTo(page, "#receipt-under-test");
  page.expects(/^request failed: .*ERR_ABORTED$/); // what Chromium says of a download
  const [file] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  const name = file.suggestedFilename();
  return /\.tlog-proof$/.test(name) ? [] : [`the receipt is saved as ${name}`];
}, { acceptDownloads: true });

const chooseFile = () => on("/check", async (page) => {
  await tabTo(page, "input[type=file]");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Space")]);
  return chooser ? [] : ["no dialog for a file"];
});

/** Presses Tab until what the selector names has the focus. */
async function tabTo(page, selector) {
  for (let i = 0; i < 200; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((s) => document.activeElement === document.querySelector(s), selector)) return;
  }
  throw new Error(`Tab never reaches ${selector} on ${page.url().slice(base.length)}`);
}

await each(walked, 2, (path) => check(`Tab through ${path}`, () => walk(path)));
await check("the skip link leads past the header", skip);
await check("Enter in the search field searches", search);
await check("facets open with Space and narrow with Enter", facets);
await check("Enter on a download downloads", download);
await check("the file of /check is chosen with the keyboard", chooseFile);
await finish(browser);
