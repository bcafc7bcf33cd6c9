// The pricing workbench: a price that follows what is typed. Nothing is computed here: every change is priced by the
// server, whose own markup replaces the result.
import { all, element, one, say, send } from "./dom.mjs";
import { pictures } from "./drawing.mjs";

const WAIT = 350;

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
      const price = one("[data-result] .verdict");
      say(said, `${price.matches(".price") ? "指导价：" : ""}${price.textContent}`);
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
