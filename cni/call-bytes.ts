/**
 * A call as the thin client sends it, which knows no JSON: variables as the kernel hands them to a process, an empty one, stdin.
 *
 *   WEFT_CNI_TOKEN=… 0  CNI_COMMAND=ADD 0  CNI_NETNS=… 0  0  {"cniVersion":…
 */
import type { Call } from './plugin/call.ts';

/** Variable by which the thin client hands its token on. */
export const TOKEN_VARIABLE = 'WEFT_CNI_TOKEN';

/** Undefined when they are no call. */
export function decodeCall(bytes: Buffer): Call | undefined {
  const end = bytes.indexOf('\0\0');
  if (end < 0) return undefined;
  const variables = bytes.subarray(0, end).toString().split('\0');
  const entries = variables.map((variable): [string, string] => {
    const at = variable.indexOf('=');
    return [variable.slice(0, at), variable.slice(at + 1)];
  });
  const env = Object.fromEntries(entries.filter(([name]) => name.startsWith('CNI_')));
  const token = entries.find(([name]) => name === TOKEN_VARIABLE)?.[1];
  return { env, stdin: bytes.subarray(end + 2).toString(), token };
}
