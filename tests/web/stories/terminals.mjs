// Terminal input that the service refuses. After a 429, the page sends the same input again before any later input. After any other
// refusal, the input is lost, and the page discards the input queued after it.
import assert from 'node:assert/strict';

import { call, runEnvironment, signIn } from '../people.mjs';
import { openTerminal, terminalShows } from '../terminal.mjs';

const BUSY = { status: 429, code: 'too_many_events', title: 'Too many events' };
const REFUSED = { status: 413, code: 'payload_too_large', title: 'The request body is too large' };

export const terminals = {
  'terminals: input refused with 429 is sent again': async (bench) => {
    const { page } = await shell(bench, [BUSY, BUSY]);
    await page.keyboard.type('echo hello\n');
    await terminalShows(page, 'the echo of the input, then the output', (text) => text.split('hello').length === 3);
    await page.getByText('Open. Press').waitFor();
  },

  'terminals: input queued after lost input is discarded': async (bench) => {
    const { page, inputs } = await shell(bench, [REFUSED]);
    // The page sends this text in several chunks, so some of them are queued after the refused one.
    await paste(page, 'x'.repeat(10_000));
    await page.getByText('Input is lost: the request body is too large.').waitFor();
    await page.keyboard.type('echo hello\n');
    await terminalShows(page, 'the echo of the input, then the output', (text) => text.split('hello').length === 3);
    assert.equal(inputs.slice(1).join(''), 'echo hello\r');
  },
};

/** A visitor with an open shell, and the list of its inputs. The first inputs are answered with `problems` and do not reach the service. */
async function shell(bench, problems) {
  const visitor = await bench.visitor();
  await signIn(visitor);
  const { id } = await call(visitor, 'POST', '/api/projects', { name: 'Typed' });
  const environment = await runEnvironment(visitor, id);
  const inputs = [];
  await visitor.page.routeWebSocket(/\/socket\.io\//, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      // An event that requests an acknowledgement: 42, the number of the acknowledgement, and an array of name and payload.
      const [, number, text] = /^42(\d+)(\["session:input".*)$/s.exec(message) ?? [];
      if (text) inputs.push(JSON.parse(text)[1].data);
      const problem = text && problems.shift();
      if (problem) socket.send(`43${number}${JSON.stringify([{ error: problem }])}`);
      else server.send(message);
    });
  });
  await visitor.page.goto(`/studio/environments/${environment}`);
  await visitor.page.locator('[data-connection=connected]').waitFor();
  await openTerminal(visitor.page);
  return { ...visitor, inputs };
}

async function paste(page, text) {
  await page.locator('[data-terminal] textarea').evaluate((area, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    area.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}
