/**
 * Reads the configuration of a node: file ▸ YAML ▸ shape and defaults (config/schema.ts) ▸ contradictions
 * (config/checks.ts) ▸ secrets. Reads nothing but the file, and those that it names for secrets.
 */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { BgpConfig } from './config/bgp-config.ts';
import { findProblems } from './config/checks.ts';
import type { NodeConfig } from './config/node-config.ts';
import { configSchema } from './config/schema.ts';
import { type Problem, problemsOf, problemText } from './config/shapes.ts';
import * as kind from './config/values.ts';
import { codeOf, WeftError } from './errors.ts';

export type { NodeConfig };

/**
 * @param file path, as it is to appear in messages
 * @throws WeftError 'config': one line with file, path inside the file, what is wrong, what would be right
 */
export function loadConfig(file: string): NodeConfig {
  const config = parseConfig(readConfig(file), file);
  return config.bgp ? { ...config, bgp: withPasswords(config.bgp, file) } : config;
}

/** @param file for messages @throws WeftError 'config' */
export function parseConfig(text: string, file: string): NodeConfig {
  const result = configSchema.safeParse(parseYaml(text, file) ?? {});
  if (!result.success) throw configError(file, problemsOf(result.error));
  const problems = findProblems(result.data);
  if (problems.length > 0) throw configError(file, problems);
  return result.data;
}

/** What stands in the files of peers' passwords, one final line break less. */
function withPasswords(bgp: BgpConfig, file: string): BgpConfig {
  const peers = bgp.peers.map((peer, i) => {
    const { passwordFile } = peer;
    if (passwordFile === undefined) return peer;
    const problem = (message: string) =>
      configError(file, [
        { path: ['bgp', 'peers', i, 'passwordFile'], message: `${passwordFile} ${message}` },
      ]);
    let text: string;
    try {
      text = readFileSync(passwordFile, 'utf8');
    } catch (error) {
      throw problem(`cannot be read: ${(error as Error).message}`);
    }
    const password = kind.password.read(text.replace(/\r?\n$/, ''));
    if (password === undefined)
      throw problem(`has to hold ${kind.password.right.replace(', in quotes', '')}`);
    return { ...peer, password };
  });
  return { ...bgp, peers };
}

function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why: Record<string, string> = {
      ENOENT: 'there is no such file; write one, or name another with --config',
      EISDIR: 'it is a folder; name a file with --config',
      EACCES: 'it may not be read; run as root, or change its permissions',
    };
    throw new WeftError('config', `${file}: ${why[codeOf(error) ?? ''] ?? (error as Error).message}`, {
      cause: error,
    });
  }
}

function parseYaml(text: string, file: string): unknown {
  const document = parseDocument(text, { prettyErrors: true, stringKeys: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const line = problem.linePos?.[0].line;
    const what = problem.message.split('\n')[0].replace(/( at line \d+, column \d+)?:?$/, '');
    throw new WeftError('config', `${file}: ${line ? `line ${line}: ` : ''}not valid YAML: ${what}`);
  }
  try {
    return document.toJS();
  } catch (error) {
    throw new WeftError('config', `${file}: not valid YAML: ${(error as Error).message}`, { cause: error });
  }
}

function configError(file: string, problems: readonly Problem[]): WeftError {
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new WeftError('config', `${file}: ${problemText(problems[0])}${more}`);
}
