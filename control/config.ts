/**
 * Reads the configuration of a node: file ▸ YAML ▸ shape and defaults (config/schema.ts) ▸ contradictions
 * (config/checks.ts). Reads nothing but the file.
 */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { findProblems, type Problem } from './config/checks.ts';
import type { NodeConfig } from './config/node-config.ts';
import { configSchema } from './config/schema.ts';
import { codeOf, WeftError } from './errors.ts';

export type { NodeConfig };

/**
 * @param file path, as it is to appear in messages
 * @throws WeftError 'config': one line with file, path inside the file, what is wrong, what would be right
 */
export function loadConfig(file: string): NodeConfig {
  return parseConfig(readConfig(file), file);
}

/** @param file for messages @throws WeftError 'config' */
export function parseConfig(text: string, file: string): NodeConfig {
  const result = configSchema.safeParse(parseYaml(text, file) ?? {});
  if (!result.success) throw configError(file, result.error.issues.map(toProblem));
  const problems = findProblems(result.data);
  if (problems.length > 0) throw configError(file, problems);
  return result.data;
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

interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** An unknown key is reported at the section it is in. */
function toProblem(issue: Issue): Problem {
  const keys =
    issue.code === 'unrecognized_keys' ? (issue as Issue & { keys: string[] }).keys.slice(0, 1) : [];
  return { path: [...issue.path, ...keys], message: issue.message };
}

function configError(file: string, problems: readonly Problem[]): WeftError {
  const [{ path, message }, ...others] = problems;
  const where = path.length > 0 ? `${formatPath(path)}: ` : '';
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  return new WeftError('config', `${file}: ${where}${message}${more}`);
}

/** 'routes[0].via' */
function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key).replaceAll(/\s+/g, ' ')}`))
    .join('')
    .replace(/^\./, '');
}
