import { OpenBgpd } from './openbgpd.ts';
import { testPeer } from './test-peer.ts';

testPeer({
  name: 'OpenBGPD',
  make: (place) => new OpenBgpd(place),
  lacks: {
    peerRestarts: 'keeps no forwarding state over a restart',
    sharedByPeer: 'one path to a prefix in its table',
    extendedNextHop: 'not offered',
    extendedMessages: 'not offered',
  },
  traits: {
    mergesAs4Path: true,
    asksAgain: true,
    answers: false,
    knowsOwnIpv6: false,
    words: { shutdown: /maintenance until five/i, sendsText: true },
  },
});
