import { getContainerRuntimeClient } from 'testcontainers';

/** The label by which a container is known to be one of ours. */
export const CONTAINER_LABEL = 'cdr-ingest.server';

/** Removes every container with this value of our label, and its volumes. */
export async function removeContainers(label: string): Promise<void> {
  const { container: client } = await getContainerRuntimeClient();
  const filters = { label: [`${CONTAINER_LABEL}=${label}`] };
  for (const { Id } of await client.dockerode.listContainers({ all: true, filters })) {
    await client.dockerode.getContainer(Id).remove({ force: true, v: true });
  }
}
