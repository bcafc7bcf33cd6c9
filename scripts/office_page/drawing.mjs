/*! Contains Apache ECharts and zrender: Copyright The Apache Software Foundation, Apache-2.0; Baidu Inc., BSD-3-Clause. */
// Pictures of what the server has computed. Nothing is computed here; numbers become numbers only to be drawn, and
// beside every picture the same numbers stand as a table.
import { BarChart, RadarChart, SankeyChart } from "echarts/charts";
import { GridComponent, LegendComponent, RadarComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { all } from "./dom.mjs";

echarts.use([BarChart, RadarChart, SankeyChart, GridComponent, LegendComponent, RadarComponent, CanvasRenderer]);
const NARROW = 560, INK = "#1b2430", QUIET = "#566273";
const COLOURS = ["#12468a", "#c98a00", "#0b6b3a", "#a3231b", "#6b4fa0"];
const KINDS = { "is:net": "#12468a", "is:tax": "#c98a00", "is:whole": "#566273" };
const FONT = '"Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';

// Options ---------------------------------------------------------------------------------------------------------------
const number = (text) => (text === "" ? null : Number(text));
/** At most so many digits as are read in a picture; the table has them all. */
const shortly = (text) => (text === null || text === undefined ? "" : String(Number(Number(text).toPrecision(6))));

function legend(picture) {
  return picture.series.length > 1 ? { bottom: 0, data: picture.series.map((item) => item.name), textStyle: { color: INK } } : undefined;
}
function radar(picture) {
  return {
    legend: legend(picture),
    radar: {
      // The number stands under the name: beside its point it would lie upon the name.
      indicator: picture.labels.map((name, at) => ({
        name: picture.series.length === 1 ? `${name}\n${shortly(picture.series[0].values[at])}` : name, max: 1, min: 0,
      })),
      radius: "62%", splitNumber: 4, axisName: { color: INK, fontSize: 13, lineHeight: 17 },
    },
    series: [{
      type: "radar",
      data: picture.series.map((item) => ({
        name: item.name, value: item.values.map((text) => number(text) ?? 0), areaStyle: { opacity: 0.18 },
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
      axisLabel: { color: INK, interval: 0, width: narrow ? 116 : 220, overflow: "truncate" },
    },
    series: picture.series.map((item) => ({
      name: item.name, type: "bar", stack: stacked ? "one" : undefined, data: item.values.map(number),
      barMaxWidth: 18, barGap: beside ? "10%" : undefined,
      label: { show: !stacked, position: "right", color: INK, fontSize: 11, formatter: (point) => shortly(point.value) },
    })),
  };
}
/** Money from payers through what it is to payees; a node is told apart by its id, its label may stand twice. */
function flows(picture, narrow) {
  const label = new Map(picture.nodes.map((node) => [node.id, `${node.label}\n${node.amount} ${picture.unit}`]));
  return {
    series: [{
      type: "sankey", left: 4, right: narrow ? 96 : 190, top: 16, bottom: 22, nodeGap: 26, nodeWidth: 14, draggable: false,
      emphasis: { disabled: true }, lineStyle: { opacity: 0.3 },
      data: picture.nodes.map((node) => ({ name: node.id, depth: node.column, itemStyle: { color: node.column === 1 ? KINDS[node.id] : INK } })),
      // A flow has the colour of what it is, on both halves of its way.
      links: picture.links.map((link) => ({
        source: link.source, target: link.target, value: number(link.amount),
        lineStyle: { color: link.source in KINDS ? "source" : "target" },
      })),
      label: {
        color: INK, fontSize: narrow ? 11 : 13, width: narrow ? 88 : 180, overflow: "truncate", lineHeight: 17,
        formatter: (node) => label.get(node.name),
      },
    }],
  };
}
function heightOf(picture) {
  if (picture.form === "radar") return 340;
  if (picture.form === "flows") return Math.max(...[0, 1, 2].map((at) => picture.nodes.filter((node) => node.column === at).length)) * 56 + 60;
  const each = picture.form === "tornado" ? 24 : 16 + 18 * picture.series.length;
  return 80 + each * picture.labels.length;
}
function optionOf(picture, narrow) {
  if (picture.form === "radar") return radar(picture);
  return picture.form === "flows" ? flows(picture, narrow) : bars(picture, narrow);
}

// Drawing ----------------------------------------------------------------------------------------------------------------
function draw(box, picture) {
  if (!box.clientWidth) return; // in a chapter that is closed: drawn when it opens
  const narrow = box.clientWidth < NARROW;
  box.style.height = `${heightOf(picture)}px`;
  const chart = echarts.getInstanceByDom(box) ?? echarts.init(box, null, { renderer: "canvas" });
  chart.resize();
  chart.setOption({ animation: false, color: COLOURS, textStyle: { fontFamily: FONT }, ...optionOf(picture, narrow) }, { notMerge: true });
  box.dataset.drawn = "yes";
}
/** Draws every picture of the page: its numbers stand in the attribute, its box is the element itself. */
export function pictures(root = document) {
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
