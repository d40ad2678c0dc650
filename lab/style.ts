/** Colour for terminals, and none for files and for who does not want it (no-color.org). */
import type { WriteStream } from 'node:tty';

export interface Style {
  good(text: string): string;
  bad(text: string): string;
  /** What matters less. */
  faint(text: string): string;
  strong(text: string): string;
}

export const isTerminal = (stream: NodeJS.WritableStream): stream is WriteStream =>
  (stream as Partial<WriteStream>).isTTY === true;

export function styleOf(stream: NodeJS.WritableStream): Style {
  const coloured = isTerminal(stream) && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  const sgr = (on: number, off: number) => (text: string) =>
    coloured ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return { good: sgr(32, 39), bad: sgr(31, 39), faint: sgr(2, 22), strong: sgr(1, 22) };
}
