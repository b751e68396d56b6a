// Every page of the site, at each width, light and dark: it makes no trouble,
// fits, and axe-core finds nothing serious on it.

import { axe, check, crawl, each, finish, height, launch, open, overflow, schemes, visit, widths } from "./lib.mjs";

const sections = ["/", "/search", "/policies", "/keys", "/stats", "/due", "/void", "/log", "/check", "/api"];

const pages = await crawl(sections);
const browser = await launch();
const titles = new Map();

await check("every section is there and reached from the first page", () => {
  const home = pages.find((p) => p.path === "/").text;
  const bad = pages.filter((p) => p.status !== 200).map((p) => `${p.path}: status ${p.status}`);
  return [...bad, ...sections.filter((s) => s !== "/" && !home.includes(`href="${s}"`)).map((s) => `no link from / to ${s}`)];
});

await each(pages.filter((p) => p.status === 200), 2, ({ path }) => check(path, async () => {
  const page = await open(browser);
  try {
    await visit(page, path);
    return [...await shape(page, path), ...await looks(page)].concat(page.troubles);
  } finally {
    await page.context().close();
  }
}));

await check("titles differ between pages", () =>
  [...titles].filter(([, paths]) => paths.length > 1).map(([title, paths]) => `${JSON.stringify(title)}: ${paths.join(" ")}`));

await finish(browser);

/** What any page must have, whatever it shows. */
async function shape(page, path) {
  const has = await page.evaluate(() => ({
    h1: [...document.querySelectorAll("h1")].map((h) => h.textContent.trim()),
    title: document.title, lang: document.documentElement.lang,
    main: document.querySelectorAll("main").length,
    tables: [...document.querySelectorAll("table")].filter((t) => !t.caption?.textContent.trim()).length,
    cells: [...document.querySelectorAll("th")].filter((t) => !t.scope).length,
    scripts: [...document.scripts].filter((s) => !s.src).length,
    styles: document.querySelectorAll("style, [style]").length,
    handlers: [...document.querySelectorAll("*")].flatMap((e) => e.getAttributeNames().filter((a) => a.startsWith("on"))).length,
    size: /\d/.test(document.querySelector("footer")?.innerText ?? ""),
    verified: document.querySelector("#verify") ? document.querySelector("#verify").dataset.result : "holds",
    ids: [...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i),
  }));
  // The language of a filter, and the page of a list, are the same page to a reader.
  const key = path.replace(/\?.*/, "");
  titles.set(has.title, [...new Set([...titles.get(has.title) ?? [], key])]);
  return [
    has.h1.length !== 1 && `${has.h1.length} h1: ${has.h1.join(" | ")}`,
    has.h1[0] === "" && "an empty h1",
    !has.lang && "no language",
    has.main !== 1 && `${has.main} main`,
    has.tables && `${has.tables} tables without a caption`,
    has.cells && `${has.cells} th without a scope`,
    has.scripts && `${has.scripts} inline scripts`,
    has.styles && `${has.styles} inline styles`,
    has.handlers && `${has.handlers} event attributes`,
    !has.size && "the footer does not say which size of the log the page shows",
    has.verified !== "holds" && `the verification says ${has.verified}: ${await page.locator("#verify").innerText()}`,
    has.ids.length && `repeated ids: ${has.ids.join(" ")}`,
  ].filter(Boolean);
}

/** The page at each width and in each scheme. */
async function looks(page) {
  const troubles = [];
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [320, 640, ...widths]) { // 1280 px at 400 % and 200 %, and ours
      await page.setViewportSize({ width, height });
      const found = await overflow(page);
      // What axe-core judges by the width is whether targets are large enough and what is hidden.
      if (colorScheme === "light" && [360, 1440].includes(width)) found.push(...await axe(page));
      if (colorScheme === "dark" && width === 1440) found.push(...await axe(page, ["color-contrast", "link-in-text-block"]));
      troubles.push(...found.map((f) => `${width} px, ${colorScheme}: ${f}`));
    }
  }
  return troubles;
}
