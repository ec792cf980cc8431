/* What the pages do beyond links and forms. Every page works without it. */
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const on = (type, selector, run) =>
    document.addEventListener(type, (event) => {
      const found = event.target.closest?.(selector);
      if (found) run(event, found);
    });

  // Forms that cannot be taken back ask first.
  on("submit", "form[data-confirm]", (event, form) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });

  on("click", "[data-copy]", async (event, button) => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
    button.textContent = "✓";
  });

  // A preset and dates of one's own exclude each other. Runs before htmx reads the form.
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form.filters");
    const period = form?.querySelector("[data-period]");
    if (!period) return;
    const dates = form.querySelector(".dates");
    if (event.target.type === "date") period.value = "custom";
    const custom = period.value === "custom";
    dates.toggleAttribute("data-hide", !custom);
    if (!custom) for (const field of dates.querySelectorAll("input")) field.value = "";
  }, true);

  // Earlier contacts are put below; without a script the link leads to their own page.
  on("click", "[data-more]", async (event, link) => {
    event.preventDefault();
    link.setAttribute("aria-busy", "true");
    const answer = await fetch(link.href).catch(() => null);
    if (!answer?.ok) { location.href = link.href; return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const rows = document.getElementById("rows");
    for (const row of page.querySelectorAll("#rows > tr")) {
      const known = row.classList.contains("day")
        ? rows.querySelector(`.day[data-day="${row.dataset.day}"]`)
        : document.getElementById(row.id);
      if (!known) rows.append(document.adoptNode(row));
    }
    const next = page.querySelector("[data-more]");
    if (next) { link.href = next.href; link.removeAttribute("aria-busy"); } else link.parentElement.remove();
  });

  // The live journal ----------------------------------------------------------------
  let stream = null;
  let address = "";

  function follow() {
    const list = document.getElementById("list");
    const wanted = list?.dataset.live ?? "";
    if (wanted === address) return;
    stream?.close();
    address = wanted;
    const sign = document.getElementById("live");
    if (!wanted || !window.EventSource) { if (sign) sign.hidden = true; return; }
    listen(wanted, sign);
  }

  function listen(wanted, sign) {
    stream = new EventSource(wanted);
    stream.addEventListener("open", () => { sign.hidden = false; sign.classList.remove("away"); });
    stream.addEventListener("error", () => {
      sign.classList.add("away");
      // Refused (too many pages, signed out): the browser gives up, so we try later.
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (address === wanted) listen(wanted, sign); }, 30000);
    });
    stream.addEventListener("contact", (event) => put(event.data));
    stream.addEventListener("gone", (event) => take(event.data));
  }

  function put(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html.trim();
    const row = holder.content.querySelector("tr");
    const rows = document.getElementById("rows");
    if (!row || !rows) return;
    const old = document.getElementById(row.id);
    if (old && old.dataset.at === row.dataset.at) { if (old.outerHTML !== row.outerHTML) old.replaceWith(row); return; }
    if (old) take(old.id.slice(2));
    row.classList.add("fresh");
    rows.closest("table").removeAttribute("data-empty");
    document.getElementById("none")?.remove();
    day(rows, row).after(row);
    let next = row.nextElementSibling; // newest first within the day
    while (next?.classList.contains("contact") && next.dataset.at > row.dataset.at) { next.after(row); next = row.nextElementSibling; }
    document.querySelector("main > section.empty")?.remove();
    const filters = document.getElementById("filters");
    if (filters) filters.hidden = false;
    document.getElementById("news").textContent = row.querySelector(".who").innerText.trim();
  }

  function day(rows, row) {
    const heads = [...rows.querySelectorAll(".day")];
    const found = heads.find((head) => head.dataset.day <= row.dataset.day);
    if (found?.dataset.day === row.dataset.day) return found;
    const head = document.createElement("tr");
    head.className = "day";
    head.setAttribute("role", "row");
    head.dataset.day = row.dataset.day;
    const cell = document.createElement("th");
    cell.colSpan = 6;
    cell.scope = "rowgroup";
    cell.setAttribute("role", "rowheader");
    cell.textContent = row.dataset.label;
    head.append(cell);
    if (found) found.before(head); else rows.append(head);
    return head;
  }

  function take(id) {
    const row = document.getElementById("c-" + id);
    if (!row) return;
    const before = row.previousElementSibling;
    row.remove();
    if (before?.classList.contains("day") && !before.nextElementSibling?.classList.contains("contact")) before.remove();
  }

  // The chart -------------------------------------------------------------------------
  let chart = null;

  function draw() {
    const place = document.getElementById("chart");
    const data = document.getElementById("chart-data");
    if (!place || !data || !window.echarts) return;
    if (chart?.getDom() !== place) { chart?.dispose(); chart = window.echarts.init(place, null, { renderer: "svg" }); }
    const told = JSON.parse(data.textContent);
    const style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { axisLabel: { color: colour("--muted") }, axisLine: { lineStyle: { color: colour("--line") } }, splitLine: { lineStyle: { color: colour("--line") } } };
    const few = matchMedia("(max-width: 720px)").matches;
    chart.setOption({
      animation: false,
      aria: { enabled: true, label: { description: place.getAttribute("aria-label") } },
      textStyle: { fontFamily: style.fontFamily },
      grid: { left: 8, right: 8, top: few ? 64 : 40, bottom: 4, outerBoundsMode: "same", containLabel: true },
      legend: { type: "scroll", top: 0, left: 0, itemWidth: 12, itemHeight: 10, textStyle: { color: colour("--ink") }, pageTextStyle: { color: colour("--muted") } },
      tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" }, backgroundColor: colour("--surface"), borderColor: colour("--line"), textStyle: { color: colour("--ink") } },
      // Of very many bars the first and the last label would be cut off at the edge.
      xAxis: { type: "category", data: told.days, ...axis, axisLabel: { ...axis.axisLabel, ...(told.days.length > 60 && { alignMinLabel: "left", alignMaxLabel: "right" }) }, splitLine: { show: false }, axisTick: { show: false } },
      yAxis: { type: "value", minInterval: 1, ...axis },
      series: told.series.map((one) => ({
        name: one.name, type: "bar", stack: "all", barMaxWidth: 28, data: one.values,
        itemStyle: { color: colour("--c-" + one.code) || colour("--c-unknown") },
      })),
    }, true);
  }

  function settle() { follow(); draw(); }
  document.addEventListener("DOMContentLoaded", settle);
  document.addEventListener("htmx:after:swap", settle);
  window.addEventListener("resize", () => chart?.resize());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("pagehide", () => stream?.close());
})();
