// A new user who signs up with a password or through a platform, looks around and leaves. Every third user with a password mistypes it
// first, and misses the mail that confirms the address.

import exec from 'k6/execution';

import { askForMail, logIn, logOut, lookAround, mistype, register } from '../lib/accounts.js';
import { journey } from '../lib/journey.js';
import { open } from '../lib/pages.js';
import { authorise } from '../lib/platforms.js';

/** Number of different users who come through a platform. They come again and again, so that the number of their accounts stays bounded. */
const GUESTS = 10;

/** Alternates between password and platform. */
export const newcomer = journey(() => {
  const number = exec.scenario.iterationInTest;
  if (number % 2) {
    byPlatform(`load-guest-${((number - 1) / 2) % GUESTS}`);
  } else {
    byPassword(number);
  }
  const studio = open('/studio');
  lookAround();
  logOut(studio);
  studio.leave(1);
});

function byPassword(number) {
  const login = open('/login');
  const email = register(`load-${crypto.randomUUID()}@example.org`);
  if (number % 3 === 0) {
    mistype(login, email);
  }
  logIn(login, email);
  if (number % 3 === 0) {
    askForMail(login);
  }
  login.leave(1);
}

function byPlatform(guest) {
  open('/login').leave(1);
  authorise('google', guest);
}
