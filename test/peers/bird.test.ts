import { Bird } from './bird.ts';
import { testPeer } from './test-peer.ts';

testPeer({
  name: 'BIRD',
  make: (place) => new Bird(place),
  lacks: {},
  traits: {
    mergesAs4Path: true,
    asksAgain: true,
    answers: true,
    knowsOwnIpv6: true,
    words: { shutdown: /administrative shutdown/i, sendsText: true },
  },
});
