import { GoBgp } from './gobgp.ts';
import { testPeer } from './test-peer.ts';

testPeer({
  name: 'GoBGP',
  make: (place) => new GoBgp(place),
  lacks: {
    twoOctet: 'always offers the capability',
    sharedByPeer: 'no forwarding table of its own',
    extendedMessages: 'not offered',
    role: 'not offered',
  },
  traits: {
    mergesAs4Path: false,
    asksAgain: false,
    answers: true,
    knowsOwnIpv6: true,
    words: { shutdown: /Subcode":2|maintenance until five/i, sendsText: true },
  },
});
