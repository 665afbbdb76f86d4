/** What the quorum holds, as an image, for whoever watches the simulation from outside. */
import { ImageFold } from '../../broker/metadata/image-fold.ts'
import type { MetadataImage } from '../../broker/metadata/image.ts'
import type { TreeUpdate } from '../../broker/metadata/store.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'

export function decodeImage(tree: TreeUpdate): MetadataImage {
  const fold = new ImageFold(silentLogger)
  fold.apply(tree)
  return fold.image
}
