// A confirmation dialog for actions with `data-confirm`.

import { make } from './dom';

/** Asks for confirmation. `deed` labels the confirming button. */
export function confirmed(question: string, deed: string): Promise<boolean> {
  const no = make('button', { value: 'no', class: 'button' }, 'Cancel');
  const yes = make('button', { value: 'yes', class: 'button button-danger' }, deed);
  const form = make('form', { method: 'dialog', class: 'form-actions' }, no, yes);
  const dialog = make('dialog', { 'aria-labelledby': 'question' }, make('p', { id: 'question' }, question), form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
