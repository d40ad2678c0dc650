/**
 * Queueing disciplines of links. Builds requests and does nothing itself; `Rtnetlink` runs them. Source:
 * linux/rtnetlink.h (struct tcmsg), linux/pkt_sched.h.
 */
import { attribute, concat, NlmFlag, type Request, text, u32 } from './message.ts';
import { Rtm } from './types.ts';

//  struct tcmsg   0 u8 family   4 i32 index   8 u32 handle   12 u32 parent   16 u32 info
const TCMSG_SIZE = 20;
const PARENT_ROOT = 0xffffffff;
const TCA_KIND = 1;

/**
 * Lets packets go to the driver of link `index` without waiting in a queue before it, also when the link has several
 * transmit queues. Done before the link comes up, none of the default disciplines is made.
 */
export function replaceByNone(index: number): Request {
  const header = new Uint8Array(TCMSG_SIZE);
  header.set(u32(index), 4);
  header.set(u32(PARENT_ROOT), 12);
  return {
    type: Rtm.newQdisc,
    flags: NlmFlag.create | NlmFlag.replace,
    payload: concat(header, attribute(TCA_KIND, text('noqueue'))),
    doing: `taking the queueing discipline of link ${index} away`,
    remedies: { ENOENT: 'the kernel has no discipline noqueue', ENODEV: 'there is no such link' },
  };
}
