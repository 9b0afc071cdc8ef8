//! Pages: the pieces of the index that a checkpoint writes one by one, each only when it has changed.
//!
//! A page shares its content with a checkpoint that is being written, and copies it when it is changed meanwhile: so
//! the checkpoint sees one moment, and nobody waits for it.

use alloc::rc::Rc;

use crate::format::Place;

/// Where a page stands in the metadata log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) segment: u32,
    /// Where its frame begins.
    pub(crate) offset: u32,
    /// Its frame and payload up to where the next frame may begin.
    pub(crate) span: u32,
}

impl Home {
    /// Where its frame begins.
    pub(crate) const fn place(self) -> Place {
        Place { segment: self.segment, offset: self.offset }
    }
}

/// A page.
#[derive(Debug)]
pub(crate) struct Page<T> {
    content: Rc<T>,
    /// Where it stands as it was when it was last written.
    home: Option<Home>,
    /// Where it stands once more.
    copy: Option<Home>,
    /// It has changed since.
    dirty: bool,
}

impl<T: Clone> Page<T> {
    /// A page that stands nowhere yet.
    pub(crate) fn new(content: T) -> Self {
        Self { content: Rc::new(content), home: None, copy: None, dirty: true }
    }

    /// A page as it was read.
    pub(crate) fn read(content: T, home: Home) -> Self {
        Self { content: Rc::new(content), home: Some(home), copy: None, dirty: false }
    }

    /// A page as it was read that may stand in two places.
    pub(crate) fn read_twice(content: T, home: Home, copy: Option<Home>) -> Self {
        Self { copy, ..Self::read(content, home) }
    }

    pub(crate) fn get(&self) -> &T {
        &self.content
    }

    /// Its content, to be changed.
    pub(crate) fn change(&mut self) -> &mut T {
        self.dirty = true;
        Rc::make_mut(&mut self.content)
    }

    /// Its content, to be changed in what does not stand on flash.
    pub(crate) fn change_quietly(&mut self) -> &mut T {
        // A checkpoint that is being written cannot know a copy again.
        self.dirty |= Rc::strong_count(&self.content) > 1;
        Rc::make_mut(&mut self.content)
    }

    /// Whether the next checkpoint has to write it.
    pub(crate) const fn is_dirty(&self) -> bool {
        self.dirty || self.home.is_none()
    }

    pub(crate) const fn home(&self) -> Option<Home> {
        self.home
    }

    pub(crate) const fn copy(&self) -> Option<Home> {
        self.copy
    }

    /// Drops its copy, if that stands in a segment.
    pub(crate) fn drop_copy(&mut self, segment: u32) -> Option<Home> {
        self.copy.take_if(|copy| copy.segment == segment)
    }

    /// All places where it stands.
    pub(crate) fn homes(&self) -> impl Iterator<Item = Home> + use<T> {
        self.home.into_iter().chain(self.copy)
    }

    /// Has it written again by the next checkpoint.
    pub(crate) const fn soil(&mut self) {
        self.dirty = true;
    }

    /// Its content, for a checkpoint that writes it once more.
    pub(crate) fn share(&self) -> Rc<T> {
        Rc::clone(&self.content)
    }

    /// Takes a page that has changed for a checkpoint. It keeps no home: where it stood is not needed once that
    /// checkpoint is in force. Returns its content and those places.
    pub(crate) fn take(&mut self) -> (Rc<T>, impl Iterator<Item = Home> + use<T>) {
        let homes = self.homes();
        (self.home, self.copy, self.dirty) = (None, None, false);
        (Rc::clone(&self.content), homes)
    }

    /// Notes that `content` now stands at `home`, if it stands somewhere else already once more. Says whether that is
    /// still what the page holds.
    pub(crate) fn settle(&mut self, content: &Rc<T>, home: Home) -> bool {
        let same = Rc::ptr_eq(&self.content, content);
        if same && self.home.is_none() {
            self.home = Some(home);
        } else if same {
            self.copy = Some(home);
        }
        same
    }
}
