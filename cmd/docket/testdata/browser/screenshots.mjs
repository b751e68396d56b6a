// Writes a picture of each page, at each width, light and dark, into the folder
// that SCREENSHOTS names. ONLY, a regular expression of paths, makes them fewer.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { check, crawl, each, finish, height, launch, open, schemes, visit, widths } from "./lib.mjs";

const folder = process.env.SCREENSHOTS, only = new RegExp(process.env.ONLY ?? "");
mkdirSync(folder, { recursive: true });
const strange = ["/records/d-nothing-of-this-name", "/search?q=%22open", "/search?q=nothing-has-this-word"];
const pages = [...(await crawl()).map((p) => p.path), ...strange];
const browser = await launch();

await each(pages.filter((p) => only.test(p)), 2, (path) => check(path, async () => {
  const page = await open(browser);
  await visit(page, path).catch(() => {}); // pages of problems are pictures, too
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme });
    for (const width of widths) {
      await page.setViewportSize({ width, height });
      const name = `${path.slice(1).replace(/[^\w-]+/g, "_").slice(0, 60) || "home"}-${width}-${colorScheme}.png`;
      await page.screenshot({ path: join(folder, name), fullPage: true });
    }
  }
  await page.context().close();
}));

await finish(browser);
