// Does what a visitor does, in a real Chromium without a window; prints what came of it as JSON.
//
// node web_page.mjs URL CHROMIUM PICTURES; lies beside the node_modules that holds playwright-core.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, executablePath, pictures] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
const page = await context.newPage();
const said = [];
page.on("console", (message) => message.type() === "error" && said.push(message.text()));
page.on("pageerror", (error) => said.push(String(error)));

const ready = () => page.waitForFunction(() => !document.getElementById("train").disabled, null, { timeout: 120_000 });
const text = (id) => page.textContent(`#${id}`);
const stored = (key) => page.evaluate((k) => document.body.dataset[k], key);

async function draw(...points) {
  const box = await page.locator("#pad").boundingBox();
  const [x, y] = [(u) => box.x + u * box.width, (v) => box.y + v * box.height];
  await page.mouse.move(x(points[0][0]), y(points[0][1]));
  await page.mouse.down();
  for (const [u, v] of points.slice(1)) await page.mouse.move(x(u), y(v), { steps: 8 });
  await page.mouse.up();
  await page.waitForFunction(() => document.querySelectorAll("#guess li").length === 3);
}

await page.goto(url);
await ready();
await page.click("#train");
await page.waitForFunction(() => document.body.dataset.accuracy, null, { timeout: 300_000 });
await ready();
const result = {
  losses: JSON.parse(await stored("losses")),
  seconds: Number(await stored("seconds")),
  accuracy: Number(await stored("accuracy")),
};
await draw([0.5, 0.1], [0.5, 0.9]);
result.guess = (await text("guess")).trim();
await page.screenshot({ path: join(pictures, "trained.png"), fullPage: true });

// teach a new symbol, a lying cross with a bar over it
for (let k = 0; k < 4; k++) {
  await page.click("#clear");
  await draw([0.15, 0.25 + 0.02 * k], [0.85, 0.85]);
  await draw([0.85 - 0.02 * k, 0.25], [0.15, 0.85]);
  await draw([0.1, 0.12], [0.9, 0.12]);
  if (k < 3) await page.click("#add");
}
await page.click("#teach");
await page.waitForFunction(() => document.getElementById("forgotten").textContent);
await ready();
result.taught = (await page.textContent("#guess li b")).trim();
result.forgotten = await text("forgotten");
result.after = Number(await stored("accuracy"));
await page.screenshot({ path: join(pictures, "taught.png"), fullPage: true });

await page.click("#save");
await ready();
const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
result.model = readFileSync(await download.path()).toString("base64");

await page.reload();
await ready();
await page.click("#restore");
await page.waitForFunction(() => document.body.dataset.accuracy);
result.restored = Number(await stored("accuracy"));

// a phone, and a browser without WebAssembly
await page.setViewportSize({ width: 390, height: 800 });
await page.screenshot({ path: join(pictures, "phone.png"), fullPage: true });
result.wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
const bare = await context.newPage();
await bare.addInitScript(() => delete globalThis.WebAssembly);
await bare.goto(url);
await bare.waitForSelector("#error:not([hidden])");
result.error = await bare.textContent("#error");
await bare.screenshot({ path: join(pictures, "error.png") });
result.said = said;
await browser.close();
console.log(JSON.stringify(result));
