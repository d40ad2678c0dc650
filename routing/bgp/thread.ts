// The entry of the speaker's thread.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { serve } from './serve.ts';

serve(parentPort as MessagePort, workerData);
