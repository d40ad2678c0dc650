/** Where the daemon listens unless it is told otherwise. */
export const DEFAULT_SOCKET = '/run/weft/weft.sock';
