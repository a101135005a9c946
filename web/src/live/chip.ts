// A status as a chip: its word, and the class that gives it colour and shape.

/** Makes a chip tell a status. */
export function showStatus(chip: HTMLElement, status: string): void {
  for (const name of [...chip.classList].filter((name) => name.startsWith('status-'))) {
    chip.classList.remove(name);
  }
  chip.classList.add('status', `status-${status}`);
  if (chip.textContent.trim() !== status) {
    chip.textContent = status;
  }
}
