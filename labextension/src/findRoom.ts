/** The room of a file, asked for until the server answers. */
import { IRoomServer } from './rest.js';
import { RequestError } from './requests.js';
import { backoffSeconds } from './transport.js';

/**
 * @param isWanted asked before each try
 * @returns its id; null when nobody wants it any longer
 * @throws RequestError when the server says no
 */
export async function findRoom(
  server: IRoomServer,
  path: string,
  isWanted: () => boolean
): Promise<string | null> {
  for (let failures = 0; isWanted(); failures++) {
    try {
      return (await server.openRoom(path)).roomId;
    } catch (error) {
      if (!(error instanceof RequestError) || error.code !== 'disconnected') {
        throw error;
      }
    }
    await new Promise(resolve => setTimeout(resolve, backoffSeconds(failures) * 1000));
  }
  return null;
}
