// Writes the pictures of docs/pictures: a few pages of the demonstration, small.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { check, crawl, finish, launch, open, visit } from "./lib.mjs";

const folder = process.env.PICTURES;
mkdirSync(folder, { recursive: true });
const decision = (await crawl(["/"])).find((p) => p.path.startsWith("/records/") && /<h1[^>]*>\s*Decision to restrict/.test(p.text)).path;
const browser = await launch();

/** Takes a picture of a page, from an element on. */
const picture = (name, path, width, height, colorScheme, from) => check(name, async () => {
  const page = await open(browser, { viewport: { width, height }, colorScheme });
  await visit(page, path);
  if (from) await page.locator(from).evaluate((e) => window.scrollTo(0, e.getBoundingClientRect().top + window.scrollY - 24));
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.context().close();
  return page.troubles;
});

await picture("home", "/", 960, 620, "light");
await picture("decision-phone", decision, 390, 700, "light");
await picture("checked", decision, 960, 620, "dark", "#check");
await picture("versions", "/policies/rulebook?from=1&to=2", 960, 620, "light", "#change-emergency");
await finish(browser);
