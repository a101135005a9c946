// A status chip: the text, and the class that sets its colour and shape.

export function showStatus(chip: HTMLElement, status: string): void {
  for (const name of [...chip.classList].filter((name) => name.startsWith('status-'))) {
    chip.classList.remove(name);
  }
  chip.classList.add('status', `status-${status}`);
  if (chip.textContent.trim() !== status) {
    chip.textContent = status;
  }
}
