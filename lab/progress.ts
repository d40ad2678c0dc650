/**
 * What is being done, as it is done: one line a step with the time since the start, on a terminal rewritten in place while
 * the step takes.
 */
import { failureText } from './failure.ts';
import { isTerminal, type Style, styleOf } from './style.ts';

const REDRAW_MS = 100;
/** Back to the beginning of the line, and nothing on it. */
const CLEAR = '\r\x1b[K';

export class Progress {
  readonly style: Style;
  readonly #stream: NodeJS.WritableStream;
  readonly #rewrites: boolean;
  readonly #began = performance.now();

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    this.style = styleOf(stream);
    // Who reads has seen enough (weft lab demo | head): the lab goes with this process.
    if (stream.listenerCount('error') === 0) stream.once('error', () => process.exit());
    this.#rewrites = isTerminal(stream) && process.env.TERM !== 'dumb';
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  say(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  /** Does it and says so; what it throws is said and thrown on. */
  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const draw = () => this.#stream.write(CLEAR + this.#line('…', name));
    if (this.#rewrites) draw();
    const timer = this.#rewrites ? setInterval(draw, REDRAW_MS) : undefined;
    let line = '';
    try {
      const result = await work();
      line = this.#line(this.style.good('ok'), name);
      return result;
    } catch (error) {
      line = this.#line(this.style.bad('FAILED'), `${name}: ${failureText(error)}`);
      throw error;
    } finally {
      clearInterval(timer);
      this.#stream.write(`${this.#rewrites ? CLEAR : ''}${line}\n`);
    }
  }

  #line(state: string, name: string): string {
    const padding = ' '.repeat(Math.max(0, 'FAILED'.length - plainLength(state)));
    return `  ${this.style.faint(`${this.seconds.toFixed(1).padStart(5)} s`)}  ${state}${padding}  ${name}`;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what makes colour.
const plainLength = (text: string): number => text.replaceAll(/\x1b\[\d+m/g, '').length;
