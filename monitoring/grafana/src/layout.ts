// Layout of panels: lines as wide as the dashboard and as high as their highest panel.

import type { GridPos } from '@grafana/grafana-foundation-sdk/dashboard';

const WIDTH = 24;

export interface Size {
  width: number;
  height: number;
}

/** Places panels in lines, from left to right, and stretches each line to the full width. Lines begin at `top` and end at `bottom`. */
export function flow(sizes: Size[], top: number): { places: GridPos[]; bottom: number } {
  const places: GridPos[] = [];
  let y = top;
  for (const line of lines(sizes)) {
    const height = Math.max(...line.map((size) => size.height));
    let x = 0;
    for (const width of stretched(line)) {
      places.push({ x, y, w: width, h: height });
      x += width;
    }
    y += height;
  }
  return { places, bottom: y };
}

function lines(sizes: Size[]): Size[][] {
  const lines: Size[][] = [];
  let used = WIDTH;
  for (const size of sizes) {
    if (used + size.width > WIDTH) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)?.push(size);
    used += size.width;
  }
  return lines;
}

/** Widths that make a line fill the dashboard. Rounds the panels' edges, not their widths, so that the sum of the widths is exact. */
function stretched(line: Size[]): number[] {
  const used = line.reduce((sum, size) => sum + size.width, 0);
  let ends = 0;
  let before = 0;
  return line.map((size) => {
    ends += size.width;
    const edge = Math.round((ends * WIDTH) / used);
    const width = edge - before;
    before = edge;
    return width;
  });
}
