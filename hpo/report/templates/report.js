"use strict";
// Sorts the trials and opens the one that an address names. Without it the page shows all the same.
const list = document.getElementById("trials");
const sorting = document.querySelector(".sorting");

function valueOf(item, key) {
  return item.dataset[key] === "" ? null : Number(item.dataset[key]);
}

function sortBy(key, direction) {
  const ordered = [...list.children].sort((one, other) => {
    const [a, b] = [valueOf(one, key), valueOf(other, key)];
    // What is not known comes last, up or down.
    if (a === null || b === null) return (a === null) - (b === null);
    return direction * (a - b) || one.dataset.rank - other.dataset.rank;
  });
  list.append(...ordered);
}

function choose(button) {
  const direction = button.getAttribute("aria-pressed") === "true" && button.dataset.direction !== "-1" ? -1 : 1;
  for (const other of sorting.querySelectorAll("button")) {
    other.setAttribute("aria-pressed", String(other === button));
    other.querySelector(".arrow").textContent = other !== button ? "" : direction === 1 ? " ↑" : " ↓";
  }
  button.dataset.direction = direction;
  sortBy(button.dataset.key, direction);
  const name = button.firstChild.textContent.trim();
  document.getElementById("sorted").textContent = `Sorted by ${name}, ${direction === 1 ? "ascending" : "descending"}`;
}

function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

if (list) {
  sorting.hidden = false;
  sorting.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  });
  addEventListener("hashchange", openNamed);
  openNamed();
}
