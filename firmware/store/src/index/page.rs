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

/// Where a page stands, if it is as it stands there, and where it stands once more.
pub(crate) type Homes = (Option<Home>, Option<Home>);

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
    pub(crate) fn read(content: T, (home, copy): Homes) -> Self {
        Self { content: Rc::new(content), home, copy: copy.filter(|_| home.is_some()), dirty: home.is_none() }
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

    /// If it stands in a segment, has it written again by the next checkpoint; if its copy does, drops that and says
    /// where it was.
    pub(crate) fn leave(&mut self, segment: u32) -> Option<Home> {
        self.dirty |= self.home.is_some_and(|home| home.segment == segment);
        self.copy.take_if(|copy| copy.segment == segment)
    }

    /// All places where it stands.
    pub(crate) fn homes(&self) -> impl Iterator<Item = Home> + use<T> {
        self.home.into_iter().chain(self.copy)
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
