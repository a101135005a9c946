// Insights into a linked account, loaded when the user asks for them.

import { read } from './api';
import { make } from './dom';
import { clearProblem, showProblem } from './problem';
import { relative } from './times';

const ENDPOINT = '/api/insights/{platform}';

interface Insights {
  readonly handle: string;
  readonly followers: number;
  readonly posts: number | null;
  readonly as_of: string;
}

/** Wires the section's button: a click loads the figures into the section's list. */
export function startInsights(section: HTMLElement): void {
  const platform = section.dataset['insights'] ?? '';
  const button = section.querySelector('button');
  const list = section.querySelector('dl');
  if (!button || !list) {
    throw new Error('an insights section must contain a button and a dl');
  }
  button.addEventListener('click', async () => {
    button.disabled = true;
    clearProblem(section);
    const answer = await read<Insights>(ENDPOINT, ENDPOINT.replace('{platform}', encodeURIComponent(platform)));
    button.disabled = false;
    if (answer.problem) {
      showProblem(section, answer.problem);
    } else {
      show(list, answer.data);
    }
  });
}

function show(list: HTMLElement, { handle, followers, posts, as_of }: Insights): void {
  const time = make('time', { datetime: as_of, 'data-relative': '', title: as_of }, relative(Date.parse(as_of), Date.now()));
  const facts: readonly (readonly [string, Node | string])[] = [
    ['Account', handle],
    ['Followers', followers.toLocaleString('en')],
    ['Posts', posts?.toLocaleString('en') ?? 'not available'],
    ['As of', time],
  ];
  list.replaceChildren(...facts.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
  list.hidden = false;
}
