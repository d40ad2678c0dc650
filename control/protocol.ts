/** RTPROT_* of Weft: no daemon that is known has it (iproute2's rt_protos). `ip route show proto 87` shows what is Weft's. */
export const WEFT_PROTOCOL = 87;
