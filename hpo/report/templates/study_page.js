"use strict";
// Sorts the trial cards, and opens the card that the address names. Without this script the page shows everything, unsorted.
const list = document.getElementById("trials");
const sorting = document.querySelector(".sorting");

function valueOf(card, key) {
  return card.dataset[key] === "" ? null : Number(card.dataset[key]);
}

function sortBy(key, direction) {
  const ordered = [...list.children].sort((first, second) => {
    const [a, b] = [valueOf(first, key), valueOf(second, key)];
    // Unknown values come last in both directions.
    if (a === null || b === null) return (a === null) - (b === null);
    return direction * (a - b) || first.dataset.rank - second.dataset.rank;
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

function openCardInAddress() {
  const card = document.getElementById(location.hash.slice(1));
  if (card instanceof HTMLDetailsElement) {
    card.open = true;
    card.scrollIntoView();
  }
}

if (list) {
  sorting.hidden = false;
  sorting.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  });
  addEventListener("hashchange", openCardInAddress);
  openCardInAddress();
}
