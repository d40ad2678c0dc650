/** `weft why` */
import { type Command, InvalidArgumentError } from 'commander';
import { type Address, formatAddress } from '../../wire/address.ts';
import { Protocol } from '../../wire/protocol.ts';
import { WeftError } from '../errors.ts';
import type { WhyResult } from '../service.ts';
import { list } from '../text.ts';
import { address, connect, type JsonOption, print, readingCommand, wholeNumber } from './client-command.ts';

interface WhyOptions extends JsonOption {
  readonly proto: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly length: number;
  readonly ttl: number;
  /** IPv4's DF. */
  readonly df: boolean;
}

const port = wholeNumber(0, 65535);

export function whyCommand(): Command {
  return readingCommand(
    'why',
    'Tells what the engine would do with a packet now, step by step, as the forwarding code itself finds it.\n' +
      'The packet comes from where the route to its source leads: a pod, the node itself, another node.',
  )
    .argument('<source>', 'source address', address)
    .argument('<destination>', 'destination address', address)
    .option('--proto <protocol>', 'tcp, udp, icmp, sctp or a protocol number', checkProtocol, 'tcp')
    .option('--sport <port>', 'source port', port)
    .option('--dport <port>', 'destination port', port)
    .option('--length <bytes>', 'of the whole IP packet', wholeNumber(20, 65535), 100)
    .option('--ttl <hops>', 'TTL or hop limit', wholeNumber(0, 255), 64)
    .option('--no-df', 'IPv4: it may be fragmented')
    .action(async (source: Address, destination: Address, options: WhyOptions) => {
      const protocol = protocolNumber(options.proto, source);
      const portOption = (['sport', 'dport'] as const).find((name) => options[name] !== undefined);
      if (portOption && !WITH_PORTS.includes(protocol)) {
        throw new WeftError(
          'usage',
          `--${portOption} means nothing with --proto ${options.proto}; leave it out`,
        );
      }
      const packet = {
        source: formatAddress(source),
        destination: formatAddress(destination),
        protocol,
        sourcePort: options.sport ?? 0,
        destinationPort: options.dport ?? 0,
        length: options.length,
        ttl: options.ttl,
        dontFragment: options.df,
      };
      print(await connect(options).post<WhyResult>('why', packet), options, whyText);
    });
}

const WITH_PORTS: readonly number[] = [Protocol.tcp, Protocol.udp, Protocol.sctp];
const NAMES = ['tcp', 'udp', 'icmp', 'sctp'] as const;

function checkProtocol(text: string): string {
  const name = text.toLowerCase();
  if (!(NAMES as readonly string[]).includes(name) && !(/^\d{1,3}$/.test(text) && Number(text) <= 255)) {
    throw new InvalidArgumentError(`Expected ${NAMES.join(', ')} or a number from 0 to 255.`);
  }
  return name;
}

/** ICMP is another protocol in IPv6. */
function protocolNumber(text: string, { family }: Address): number {
  if (text === 'icmp' && family === 6) return Protocol.icmp6;
  return NAMES.find((name) => name === text) ? Protocol[text as (typeof NAMES)[number]] : Number(text);
}

function whyText({ verdict, reason, steps }: WhyResult): string {
  return list([...steps.map(({ step, detail }) => [step, detail] as const), [verdict, reason]]);
}
