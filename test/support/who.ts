/** Who answers at a port, and as whom the question came there: for tests of translated addresses. */
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../lab/namespace.ts';
import { Program } from './traffic.ts';

const PROGRAM = fileURLToPath(new URL('who.py', import.meta.url));

export interface Who {
  /** Of the server that answered, and the address that it saw. */
  readonly name?: string;
  readonly from?: string;
  /** In place of both: ConnectionRefusedError, TimeoutError, … */
  readonly error?: string;
}

/** Listens on a port with TCP and UDP, IPv4 and IPv6, until it is stopped. */
export async function answerAs(namespace: Namespace, name: string, port: number): Promise<Program> {
  const server = new Program(namespace, ['serve', name, port], PROGRAM);
  await server.next();
  return server;
}

export interface Question {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** Of the question; default any. */
  readonly sourcePort?: number;
  /** Until it is given up; default longer than any answer takes. */
  readonly seconds?: number;
}

export async function ask(namespace: Namespace, question: Question): Promise<Who> {
  const { protocol, address, port, sourcePort = 0, seconds = 10 } = question;
  const client = new Program(namespace, ['ask', protocol, address, port, sourcePort, seconds], PROGRAM);
  try {
    return await client.next<Who>();
  } finally {
    await client.stop();
  }
}
