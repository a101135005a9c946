// The mails that the service sends to owners of accounts, as the mail sink received them.
import { until } from './bench.mjs';

/** Waits for the newest mail to an address with this text in its subject. Returns the path of the link in it. */
export async function linkTo(bench, email, subject) {
  let text;
  await until(`a mail "${subject}" to ${email}`, async () => {
    const mails = await (await fetch(`${bench.mails}/email`)).json();
    const ours = mails.filter((mail) => mail.to.some(({ address }) => address === email));
    text = ours.findLast((mail) => mail.subject.includes(subject))?.text;
    return { done: text !== undefined, seen: ours.map((mail) => mail.subject) };
  });
  const { pathname, search } = new URL(text.match(/https?:\S+/)[0]);
  return pathname + search;
}
