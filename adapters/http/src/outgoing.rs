//! A response's body as the core's component sends bodies, for the components that link
//! these rules.

use chunk_store::component::sending::{Next, Outgoing};
use chunk_store::error::Error;

use crate::body::Body;

impl Outgoing for Body {
    type End = ();

    async fn next(&mut self) -> Result<Next<()>, Error> {
        Ok(self.next().await.transpose()?.map_or(Next::End(()), Next::Piece))
    }

    fn put_back(&mut self, bytes: u64) {
        self.put_back(bytes);
    }
}
