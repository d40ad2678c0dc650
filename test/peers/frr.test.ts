import { Frr } from './frr.ts';
import { testPeer } from './test-peer.ts';

testPeer({
  name: 'FRR',
  make: (place) => new Frr(place),
  lacks: { twoOctet: 'always offers the capability' },
  traits: {
    mergesAs4Path: false,
    asksAgain: true,
    answers: true,
    knowsOwnIpv6: true,
    words: { shutdown: /administrative shutdown/i, sendsText: true },
  },
});
