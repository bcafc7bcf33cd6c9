/*! Contains Apache ECharts and zrender: Copyright The Apache Software Foundation, Apache-2.0; Baidu Inc., BSD-3-Clause. */
// The pricing workbench: pictures of what the server has computed, and a price that follows what is typed. Nothing is
// computed here; numbers become numbers only to be drawn, and beside every picture the same numbers stand as a table.
import { BarChart, RadarChart } from "echarts/charts";
import { GridComponent, LegendComponent, RadarComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { all, element, one, say, send } from "./dom.mjs";

echarts.use([BarChart, RadarChart, GridComponent, LegendComponent, RadarComponent, CanvasRenderer]);
const WAIT = 350, NARROW = 560, INK = "#1b2430", QUIET = "#566273";
const COLOURS = ["#12468a", "#c98a00", "#0b6b3a", "#a3231b", "#6b4fa0"];
const FONT = '"Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';

// Pictures ---------------------------------------------------------------------------------------------------------------
const number = (text) => (text === "" ? null : Number(text));
/** At most so many digits as are read in a picture; the table has them all. */
const shortly = (text) => (text === null || text === undefined ? "" : String(Number(Number(text).toPrecision(6))));
const clipped = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function legend(picture) {
  return picture.series.length > 1 ? { bottom: 0, data: picture.series.map((item) => item.name), textStyle: { color: INK } } : undefined;
}
function radar(picture) {
  return {
    legend: legend(picture),
    radar: {
      indicator: picture.labels.map((name) => ({ name, max: 1, min: 0 })), radius: "62%", splitNumber: 4,
      axisName: { color: INK, fontSize: 13 },
    },
    series: [{
      type: "radar",
      data: picture.series.map((item) => ({
        name: item.name, value: item.values.map((text) => number(text) ?? 0), areaStyle: { opacity: 0.18 },
        label: { show: picture.series.length === 1, formatter: (point) => shortly(point.value), color: INK },
      })),
    }],
  };
}
function bars(picture, narrow) {
  const stacked = picture.form === "tornado", beside = picture.series.length > 1 && !stacked;
  return {
    legend: legend(picture),
    grid: { left: 8, right: narrow ? 56 : 76, top: 8, bottom: picture.series.length > 1 ? 48 : 26, containLabel: true },
    xAxis: { type: "value", name: picture.unit, nameLocation: "middle", nameGap: 24, axisLabel: { color: QUIET, hideOverlap: true }, scale: false },
    yAxis: {
      type: "category", inverse: true, data: picture.labels, axisTick: { show: false },
      axisLabel: { color: INK, interval: 0, formatter: (text) => clipped(text, narrow ? 9 : 22) },
    },
    series: picture.series.map((item) => ({
      name: item.name, type: "bar", stack: stacked ? "one" : undefined, data: item.values.map(number),
      barMaxWidth: 18, barGap: beside ? "10%" : undefined,
      label: { show: !stacked, position: "right", color: INK, fontSize: 11, formatter: (point) => shortly(point.value) },
    })),
  };
}
function draw(box, picture) {
  if (!box.clientWidth) return; // in a chapter that is closed: drawn when it opens
  const narrow = box.clientWidth < NARROW;
  const each = picture.form === "radar" ? 0 : picture.form === "tornado" ? 24 : 16 + 18 * picture.series.length;
  box.style.height = picture.form === "radar" ? "340px" : `${80 + each * picture.labels.length}px`;
  const chart = echarts.getInstanceByDom(box) ?? echarts.init(box, null, { renderer: "canvas" });
  chart.resize();
  const option = picture.form === "radar" ? radar(picture) : bars(picture, narrow);
  chart.setOption({ animation: false, color: COLOURS, textStyle: { fontFamily: FONT }, ...option }, { notMerge: true });
  box.dataset.drawn = "yes";
}
/** Draws every picture of the page: its numbers stand in the attribute, its box is the element itself. */
function pictures(root = document) {
  for (const box of all("[data-picture]", root)) {
    box.hidden = false;
    draw(box, JSON.parse(box.dataset.picture));
  }
}
document.addEventListener("toggle", (event) => { if (event.target.open) pictures(event.target); }, true);
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth !== width) {
    width = window.innerWidth;
    pictures();
  }
});

// The form: every change is priced by the server ----------------------------------------------------------------------------
function fieldsOf(form) {
  const found = {};
  for (const input of all("input, select, textarea", form)) {
    if (input.name && input.name !== "csrf" && (input.type !== "checkbox" || input.checked)) found[input.name] = input.value;
  }
  return found;
}
function tell(form, messages) {
  for (const note of all(".field-note", form)) note.remove();
  for (const input of all('[aria-invalid="true"]', form)) input.removeAttribute("aria-invalid");
  for (const [name, items] of Object.entries(messages)) {
    const input = one(`[name="${CSS.escape(name)}"]`, form), place = input ?? one(`[data-anchor="${CSS.escape(name)}"]`, form);
    if (!place) continue;
    if (input) input.setAttribute("aria-invalid", "true");
    const notes = items.map((item) => element("p", { class: "field-note bad" }, `必须改正：${item.zh} `, element("small", { lang: "en" }, item.en)));
    const label = input?.closest("label");
    (label ?? place)[input ? "after" : "prepend"](...notes);
    place.closest("details")?.setAttribute("open", "");
  }
}
for (const form of all("[data-price]")) {
  const said = one("[data-price-said]");
  let timer = 0, asked = 0;
  const ask = async () => {
    const mine = (asked += 1);
    say(said, "正在重新计算… / Pricing…");
    try {
      const answer = await send(form.dataset.price, { fields: fieldsOf(form) });
      if (mine !== asked) return; // something was typed meanwhile: its own answer is on the way
      // The server's own markup, parsed without running anything.
      const fresh = new DOMParser().parseFromString(answer.html, "text/html");
      one("[data-result]").replaceChildren(...document.importNode(fresh.body, true).childNodes);
      tell(form, answer.messages);
      pictures(one("[data-result]"));
      say(said, "");
    } catch (error) {
      if (mine === asked) say(said, error.message, true);
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  };
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.addEventListener("submit", () => clearTimeout(timer));
}

// A slider beside every number between 0 and 1, so that it can be moved and not only typed ------------------------------------
for (const input of all("[data-price] input[data-slide]")) {
  const name = one(`label[for="${CSS.escape(input.id)}"]`)?.firstChild?.textContent.trim() ?? input.name;
  const slider = element("input", { type: "range", min: "0", max: "1", step: "0.01", "aria-label": `${name}（滑动）`, class: "slide" });
  slider.value = input.value || "0";
  slider.addEventListener("input", () => { input.value = slider.value; });
  input.addEventListener("input", () => { slider.value = input.value; });
  input.after(slider);
}

// A file: said before it is sent what the site would refuse anyway --------------------------------------------------------------
for (const form of all("form[data-most]")) {
  const said = one("[data-file-said]", form), button = one("button", form);
  form.addEventListener("submit", (event) => {
    const file = one('input[type="file"]', form).files[0];
    if (file && file.size > Number(form.dataset.most)) {
      event.preventDefault();
      say(said, form.dataset.large, true);
    } else {
      button.disabled = true;
      say(said, "正在上传并计数，请不要关闭本页… / Uploading and counting; keep this page open…");
    }
  });
  window.addEventListener("pageshow", () => { button.disabled = false; });
}
pictures();
